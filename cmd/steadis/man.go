package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// newManCommand makes the command by which packages get their man pages. It is hidden: nobody
// else needs it.
func newManCommand(e *env) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:    "man",
		Short:  "Write the man pages",
		Long:   "Writes a man page for steadis and one for each command into a directory. Their date is that of SOURCE_DATE_EPOCH, or today.",
		Args:   cobra.NoArgs,
		Hidden: true,
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "The directory, which is made if need be")
	_ = cmd.MarkFlagDirname("dir") // it was added one line ago
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		date, err := manDate(e.environ)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return writeMan(cmd.Root(), dir, date)
	})
	return cmd
}

// manDate gives the date that is printed at the foot of every page.
func manDate(environ []string) (time.Time, error) {
	for _, v := range environ {
		if text, found := strings.CutPrefix(v, "SOURCE_DATE_EPOCH="); found {
			seconds, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return time.Time{}, &exitError{code: exitUsage, err: fmt.Errorf("SOURCE_DATE_EPOCH is %q; it must be seconds since 1970", text)}
			}
			return time.Unix(seconds, 0).UTC(), nil
		}
	}
	return time.Now(), nil
}

// asMarkdown keeps what would be a mark of Markdown, in which the pages are written first.
var asMarkdown = strings.NewReplacer(`\`, `\\`, "<", `\<`, "*", `\*`, "_", `\_`, "&", `\&`)

// writeMan writes the page of cmd and those of its commands. It changes the texts of their
// flags, so cmd is of no use afterwards.
func writeMan(cmd *cobra.Command, dir string, date time.Time) error {
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() || c.Name() == "help" {
			continue
		}
		if err := writeMan(c, dir, date); err != nil {
			return err
		}
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Usage = asMarkdown.Replace(f.Usage) })
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	var page strings.Builder
	header := &doc.GenManHeader{Title: strings.ToUpper(name), Section: "1", Date: &date, Source: "steadis " + ourVersion(), Manual: "steadis"}
	if err := doc.GenMan(cmd, header, &page); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".1"), []byte(page.String()), 0o644)
}
