package static

import (
	"regexp"
	"strings"
	"testing"
)

var playground = []string{"playground.js", "playground-jwt.js", "playground-http.js", "playground-show.js", "playground.css", "mailbox.css"}

// What a server answers is shown as text, and nothing is fetched from
// elsewhere: the page would not keep its strict policy otherwise.
func TestPlaygroundMakesNoMarkupAndStaysHere(t *testing.T) {
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\.style\b|setAttribute\("(style|on)|https?://|[ :]url\(|@import|localStorage|credentials: "include"`)
	for _, name := range playground {
		if found := bad.Find(byName[name].body); found != nil {
			t.Errorf("%s holds %q", name, found)
		}
		if strings.HasSuffix(name, ".js") && !strings.Contains(string(byName[name].body), `"use strict"`) {
			t.Errorf("%s is not strict", name)
		}
	}
}

func TestPlaygroundStyleIsRightToLeftSafeAndUsesTheSchemes(t *testing.T) {
	css := string(byName["playground.css"].body) + string(byName["mailbox.css"].body)
	physical := regexp.MustCompile(`[;{\s](margin|padding|border)-(left|right|top|bottom)|[;{\s](left|right|top|bottom|width|height):|text-align:\s*(left|right)|float:`)
	if found := physical.FindString(css); found != "" {
		t.Errorf("%q is not right-to-left safe", found)
	}
	if found := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|rgb\(`).FindString(strings.ReplaceAll(css, "#playground", "")); found != "" {
		t.Errorf("colour %q does not follow the scheme", found)
	}
	app := string(byName["app.css"].body)
	for _, m := range regexp.MustCompile(`var\(--([a-z0-9-]+)`).FindAllStringSubmatch(css, -1) {
		if !strings.Contains(app, "--"+m[1]+":") {
			t.Errorf("--%s is used and never set", m[1])
		}
	}
}
