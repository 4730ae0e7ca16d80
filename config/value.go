package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes.
type Size int64

// sizeUnits is in falling order, so that the first one that divides a Size is
// the one to write it with.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}}

// String writes the size in the largest unit that divides it: 256mb, 1000b.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "b"
}

// ParseSize reads a size such as 1000, 1000b, 64kb, 256mb or 1gb, in any case;
// the b may be left out (256m). The units are those of redis.conf with a b: 1kb
// is 1024 bytes.
func ParseSize(text string) (Size, error) {
	number := strings.ToLower(text)
	factor := int64(1)
	for _, u := range sizeUnits {
		if rest, found := cutUnit(number, u.suffix); found {
			number, factor = rest, u.bytes
			break
		}
	}
	if factor == 1 {
		number = strings.TrimSuffix(number, "b")
	}
	n, err := parseInt(number)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && n > math.MaxInt64/factor:
		return 0, errors.New("is larger than a size can be (8 exabytes)")
	case err != nil:
		return 0, errors.New("is not a size; write bytes or a unit, such as 65536, 64kb, 256mb or 1gb")
	}
	return Size(n * factor), nil
}

// cutUnit removes the unit from number, written whole or without its b.
func cutUnit(number, unit string) (string, bool) {
	if rest, found := strings.CutSuffix(number, unit); found {
		return rest, true
	}
	return strings.CutSuffix(number, unit[:1])
}

// parseInt reads digits only, with an optional minus: no plus, no spaces, no
// underscores, no hex, which somebody who writes them by mistake should be told of.
func parseInt(text string) (int64, error) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(text, 10, 64)
}

func decodeInt(text string) (int, error) {
	n, err := parseInt(text)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && int64(int(n)) != n:
		return 0, errors.New("is larger than a number can be")
	case err != nil:
		return 0, errors.New("is not a whole number; write digits only, such as 100")
	}
	return int(n), nil
}

func decodeDuration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && (text == "0" || !isNumber(text)) {
		return d, nil
	}
	if isNumber(text) {
		return 0, fmt.Errorf("has no unit; write %ss for seconds or %sms for milliseconds", text, text)
	}
	return 0, errors.New("is not a duration; write a number and a unit, such as 500ms, 30s or 1m30s")
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// formatDuration writes d without the zero units that Duration.String appends:
// 1m, not 1m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// decodeList splits at commas and trims blanks. Empty text is an empty list; an
// empty entry is an error, since it is what an unset variable leaves behind.
func decodeList(text string) ([]string, error) {
	if strings.TrimSpace(text) == "" {
		return []string{}, nil
	}
	parts := strings.Split(text, ",")
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
		if parts[i] == "" {
			return nil, fmt.Errorf("has an empty entry (number %d); remove the comma too many", i+1)
		}
	}
	return parts, nil
}

// decodePairs makes a map of entries a=b. A left side given twice is an error.
func decodePairs(entries []string) (map[string]string, error) {
	pairs := make(map[string]string, len(entries))
	for _, entry := range entries {
		from, to, found := strings.Cut(entry, "=")
		from, to = strings.TrimSpace(from), strings.TrimSpace(to)
		if !found || from == "" || to == "" {
			return nil, fmt.Errorf("has the entry '%s', which is not a pair; write announced=reachable, such as 172.18.0.2:6379=127.0.0.1:7001", entry)
		}
		if _, twice := pairs[from]; twice {
			return nil, fmt.Errorf("maps '%s' twice; keep one of the two", from)
		}
		pairs[from] = to
	}
	return pairs, nil
}

// decodeBool reads true or false.
func decodeBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("is neither true nor false")
}
