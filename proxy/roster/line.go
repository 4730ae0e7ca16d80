package roster

import (
	"strconv"
	"time"
)

// AppendLine appends c's line of CLIENT LIST and CLIENT INFO to dst, with its "\n":
// the fields of Redis 7.0, then lib-name and lib-ver as in 7.2 (networking.c
// catClientInfoString). It allocates nothing but what dst needs to grow. In RESP2 the
// lines go into one bulk string, in RESP3 into a verbatim string of format txt.
func AppendLine(dst []byte, c *Client) []byte {
	multi, redir := -1, int64(-1)
	if c.InMulti {
		multi = c.Multi
	}
	if c.Tracking {
		redir = c.Redir
	}
	dst = strconv.AppendUint(append(dst, "id="...), c.ID, 10)
	dst = text(dst, " addr=", or(c.Addr, noAddr))
	dst = text(dst, " laddr=", or(c.LAddr, noAddr))
	dst = number(dst, " fd=", int64(c.FD))
	dst = text(dst, " name=", c.Name)
	dst = number(dst, " age=", int64(c.Age/time.Second))
	dst = number(dst, " idle=", int64(c.Idle/time.Second))
	dst = appendFlags(append(dst, " flags="...), c)
	dst = number(dst, " db=", int64(c.DB))
	dst = number(dst, " sub=", int64(c.Sub))
	dst = number(dst, " psub=", int64(c.PSub))
	dst = number(dst, " ssub=", int64(c.SSub))
	dst = number(dst, " multi=", int64(multi))
	dst = number(dst, " qbuf=", c.QBuf)
	dst = number(dst, " qbuf-free=", c.QBufFree)
	dst = number(dst, " argv-mem=", c.ArgvMem)
	dst = number(dst, " multi-mem=", c.MultiMem)
	dst = number(dst, " rbs=", c.RBS)
	dst = number(dst, " rbp=", c.RBP)
	dst = number(dst, " obl=", c.OBL)
	dst = number(dst, " oll=", c.OLL)
	dst = number(dst, " omem=", c.OMem)
	dst = number(dst, " tot-mem=", c.TotMem)
	dst = text(dst, " events=", c.Events)
	dst = text(dst, " cmd=", or(c.Cmd, "NULL"))
	dst = text(dst, " user=", or(c.User, "(superuser)"))
	dst = number(dst, " redir=", redir)
	dst = number(dst, " resp=", int64(c.Resp))
	dst = text(dst, " lib-name=", c.LibName)
	dst = text(dst, " lib-ver=", c.LibVer)
	return append(dst, '\n')
}

func text(dst []byte, key, value string) []byte {
	return append(append(dst, key...), value...)
}

func number(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}

// appendFlags appends the letters for c, N if there are none.
func appendFlags(dst []byte, c *Client) []byte {
	none := len(dst)
	letter := func(has bool, b byte) {
		if has {
			dst = append(dst, b)
		}
	}
	letter(c.Monitor, 'O')
	letter(c.Kind == KindReplica && !c.Monitor, 'S')
	letter(c.Kind == KindMaster, 'M')
	letter(c.PubSub || c.Kind == KindPubSub, 'P')
	letter(c.InMulti, 'x')
	letter(c.Blocked, 'b')
	letter(c.Tracking, 't')
	letter(c.BrokenRedirect, 'R')
	letter(c.Broadcast, 'B')
	letter(c.DirtyCAS, 'd')
	letter(c.CloseAfterReply, 'c')
	letter(c.Unblocked, 'u')
	letter(c.CloseASAP, 'A')
	letter(c.Unix, 'U')
	letter(c.ReadOnly, 'r')
	letter(c.NoEvict, 'e')
	letter(c.NoTouch, 'T')
	letter(len(dst) == none, 'N')
	return dst
}
