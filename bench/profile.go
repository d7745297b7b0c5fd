package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime/pprof"
)

var profileDir = flag.String("cpuprofile", "", "folder for a CPU profile of each server; figures are then higher by what profiling costs")

// profile has a server write its CPU profile to NAME.pprof, if that is wanted.
func profile(server *child, name string) error {
	if *profileDir == "" {
		return nil
	}
	dir, err := filepath.Abs(*profileDir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return err
	}
	_, err = server.ask(request{Op: "profile", Address: filepath.Join(dir, name+".pprof")})
	return err
}

// endProfile makes the profile complete.
func endProfile(server *child) {
	if *profileDir != "" {
		server.ask(request{Op: "end profile"})
	}
}

// profiled is a handler that also answers requests for a profile.
func profiled(h handler) handler {
	return func(r request) (answer, error) {
		switch r.Op {
		case "profile":
			return answer{}, startProfile(r.Address)
		case "end profile":
			pprof.StopCPUProfile()
			return answer{}, nil
		}
		return h(r)
	}
}

func startProfile(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}
