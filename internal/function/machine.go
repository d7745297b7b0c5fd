package function

import (
	"debug/elf"
	"fmt"
	"runtime"
)

// machines are the names that Go has for the processors that Lambda has.
var machines = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// checkMachine refuses a Linux program for another machine: most are built for
// Lambda's, and the system's own message says nothing of that. A file that is
// no such program, such as a script, passes.
func checkMachine(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	built := machines[file.Machine]
	switch {
	case runtime.GOOS != "linux":
		return fmt.Errorf("%s is a program for Linux, and this machine runs %s; build it for this machine, or point CodeUri to its source", path, runtime.GOOS)
	case built != "" && built != runtime.GOARCH:
		return fmt.Errorf("%s is built for %s, and this machine is %s; build it with GOARCH=%s, or point CodeUri to its source",
			path, built, runtime.GOARCH, runtime.GOARCH)
	}
	return nil
}
