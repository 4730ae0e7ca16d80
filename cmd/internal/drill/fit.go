package drill

import (
	"fmt"
	"slices"
	"strings"
)

// fit lists what keeps a deployment from being drilled: nobody should practise on
// one that is not whole. It is pure. Empty means fit.
func (v view) fit() []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	master := v.master()
	if master == "" {
		add("no majority of the %d Sentinels announces the same master", len(v.sentinels))
	}
	var epochs []uint64
	for _, s := range v.sentinels {
		switch {
		case s.err != nil:
			add("Sentinel %s: %v", s.addr, s.err)
			continue
		case master != "" && s.master != master:
			add("Sentinel %s announces %s, the majority %s", s.addr, s.master, master)
		case s.flags != "master":
			add("Sentinel %s: the master's flags are %s; wait until they are just 'master'", s.addr, s.flags)
		}
		if s.quorate != "" {
			add("Sentinel %s: %s", s.addr, s.quorate)
		}
		epochs = append(epochs, s.epoch)
	}
	for _, e := range epochs {
		if e != epochs[0] {
			add("the Sentinels are in different epochs, %v; wait until they agree", epochs)
			break
		}
	}
	if r := v.roles[master]; master != "" && r.word != "master" {
		add("%s is announced as the master but %s", master, r.says())
	}
	if len(v.goodReplicas()) == 0 {
		add("no replica that every Sentinel could promote (flags 'slave', link 'ok', priority above 0): a failover would have nowhere to go")
	}
	return problems
}

// says describes the role in words.
func (r role) says() string {
	switch {
	case r.err != nil:
		return "does not say so: " + r.err.Error()
	case r.word == "slave":
		return "says it is a replica (link: " + r.link + ")"
	}
	return "says it is " + r.word
}

// missing lists what is not as it should be after a round: nodes that were part of
// the deployment and are neither its master nor a connected replica. It is pure.
// Empty means whole.
func (v view) missing(nodes []string, old string) []string {
	problems := v.fit()
	master, good := v.master(), v.goodReplicas()
	for _, addr := range nodes {
		r := v.roles[addr]
		name := addr
		if addr == old {
			name = "the old master " + addr
		}
		switch {
		case addr == master, slices.Contains(good, addr) && r.word == "slave" && r.link == "connected":
		case r.word == "" && r.err == nil:
			problems = append(problems, name+" is known to no Sentinel")
		case r.err != nil:
			problems = append(problems, fmt.Sprintf("%s does not answer: %v", name, r.err))
		case r.word == "master":
			problems = append(problems, name+" still says it is a master; Sentinel demotes it about 10 s after it sees it")
		case r.link == "connected":
			problems = append(problems, fmt.Sprintf("%s is a replica again, but not every Sentinel has seen it (%s)", name, v.unfit(addr)))
		default:
			problems = append(problems, fmt.Sprintf("%s is no connected replica: its link is '%s'", name, r.link))
		}
	}
	return problems
}

// UnfitError says why a deployment cannot be drilled now.
type UnfitError struct {
	Master   string
	Problems []string
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("the deployment of '%s' is not fit for a drill; nothing was touched:\n  - %s",
		e.Master, strings.Join(e.Problems, "\n  - "))
}
