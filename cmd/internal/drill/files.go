package drill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The files that a drill leaves.
const (
	JSONFile = "report.json"
	PageFile = "report.html"
)

// Prepare makes dir, if need be, and says whether reports can be written there.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the reports' directory: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".steadis-drill-")
	if err != nil {
		return fmt.Errorf("the reports' directory: %w", err)
	}
	err = probe.Close()
	if removed := os.Remove(probe.Name()); err == nil {
		err = removed
	}
	return err
}

// Write writes report.json and report.html into dir and gives their paths. Each
// appears whole or not at all.
func (r *Report) Write(dir string) (paths []string, err error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := r.Page(&page); err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{JSONFile, append(data, '\n')}, {PageFile, page.Bytes()}} {
		path := filepath.Join(dir, file.name)
		if err := replace(path, file.data); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// replace writes a file beside path and then gives it the name.
func replace(path string, data []byte) error {
	beside := path + ".new"
	if err := os.WriteFile(beside, data, 0o644); err != nil {
		return err
	}
	return os.Rename(beside, path)
}
