package faults

import (
	"context"
	"errors"
	"time"
)

// steadisFaults happen to steadis itself: its clients lose their connections and
// come back, and what they were told must still be true.
var steadisFaults = []fault{
	{
		name: "steadis killed", short: true, losses: nothing, service: restored, drops: true,
		inject: killSteadis,
		heal:   restartSteadis,
		lasts:  500 * time.Millisecond,
	},
	{
		name: "steadis killed in a failover", losses: unreplicated, drops: true,
		inject: func(ctx context.Context, st *stage) error {
			if err := st.d.Failover(ctx); err != nil {
				return err
			}
			if err := pause(ctx, st.between(0, 1200*time.Millisecond)); err != nil {
				return err
			}
			return errors.Join(killSteadis(ctx, st), restartSteadis(ctx, st))
		},
	},
}

func killSteadis(_ context.Context, st *stage) error {
	if st.steadis == nil {
		return errors.New("there is no steadis in this mode")
	}
	return st.steadis.Kill()
}

func restartSteadis(ctx context.Context, st *stage) error {
	if st.steadis.Alive() {
		return nil
	}
	return st.steadis.Restart(ctx)
}
