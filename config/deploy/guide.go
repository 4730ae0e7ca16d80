// Package deploy has the guide for operators, as `steadis help` and readers of the
// repository have it: it is written once.
package deploy

import (
	"embed"
	"strings"
)

//go:embed *.md
var pages embed.FS

// Page is one page of the guide.
type Page struct {
	// Name is what follows `steadis help`.
	Name string
	// Title is the page's heading, without the mark.
	Title string
	// Text is the whole page, in Markdown that reads well as it stands.
	Text string
}

// Guide gives the pages in the order of their names.
func Guide() []Page {
	entries, err := pages.ReadDir(".")
	if err != nil {
		panic(err) // what is embedded can be read
	}
	var guide []Page
	for _, entry := range entries {
		text, err := pages.ReadFile(entry.Name())
		if err != nil {
			panic(err)
		}
		heading, _, _ := strings.Cut(string(text), "\n")
		guide = append(guide, Page{
			Name:  strings.TrimSuffix(entry.Name(), ".md"),
			Title: strings.TrimPrefix(heading, "# "),
			Text:  strings.TrimSpace(string(text)),
		})
	}
	return guide
}
