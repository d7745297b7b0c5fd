package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// needs are what scripts and the functions of clients/lead ask of the machine:
// each returns the folder of an SDK or the path of a program, or a sentence about
// what is missing.
var needs = map[string]func() (string, error){
	"npm":      sdkModules,
	"boto3":    func() (string, error) { return boto3("python3.11", "python3") },
	"boto3-26": olderBoto3,
	"dynalite": dynaliteModules,
	"awscli":   func() (string, error) { return exec.LookPath("aws") },
}

// condition is whether a need is met. On a machine that builds for others (CI is
// set) a need that is not met is an error. Beside the needs, "race" is whether
// the race detector is on, "awscli-moves" whether the AWS CLI is so new (1.29, 2.12)
// that it has SQS's StartMessageMoveTask; those of distributions may be older.
func condition(name string) (bool, error) {
	switch name {
	case "race":
		return underRace, nil
	case "awscli-moves":
		return exec.Command("aws", "sqs", "start-message-move-task", "--generate-cli-skeleton").Run() == nil, nil
	}
	find, known := needs[name]
	if !known {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	_, err := find()
	if err != nil && os.Getenv("CI") != "" {
		return false, err
	}
	return err == nil, nil
}

// packages sets $PACKAGES to the node_modules with the AWS SDKs for JavaScript
// and $OLDER to the folder of an older boto3, where they are.
func packages(ts *testscript.TestScript, neg bool, args []string) {
	for name, find := range map[string]func() (string, error){"PACKAGES": sdkModules, "OLDER": olderBoto3} {
		if folder, err := find(); err == nil {
			ts.Setenv(name, folder)
		}
	}
}

// sdkModules installs what clients/package-lock.json pins, where the tests of
// clients look for it too, and dynaliteModules what that of clients/dynalite does.
var (
	sdkModules      = sync.OnceValues(func() (string, error) { return modulesOf("clients", "aws-sdk") })
	dynaliteModules = sync.OnceValues(func() (string, error) { return modulesOf("clients/dynalite", "dynalite") })
)

// modulesOf returns the node_modules with what the package-lock.json of a folder
// pins; one of the packages shows that all are there.
func modulesOf(folder, one string) (string, error) {
	lock, err := os.ReadFile(filepath.Join(filepath.FromSlash(folder), "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for packages of npm: %w", err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "gatepost-test-npm", hex.EncodeToString(sum[:8]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, one, "package.json")); err == nil {
		return modules, nil
	}
	return modules, installModules(folder, dir)
}

// olderBoto3 finds the boto3 1.26 of Debian 12.
var olderBoto3 = sync.OnceValues(func() (string, error) {
	folder, err := boto3(debianPython)
	if err == nil && !strings.HasPrefix(folder, "1.26.") {
		err = errors.New("the boto3 of " + debianPython + " is not of version 1.26")
	}
	_, folder, _ = strings.Cut(folder, " ")
	return folder, err
})

// boto3 returns the version of the boto3 that the first interpreter of these
// has, and its folder.
func boto3(interpreters ...string) (string, error) {
	for _, python := range interpreters {
		if _, err := exec.LookPath(python); err != nil {
			continue
		}
		out, err := exec.Command(python, "-c", "import boto3, os; print(boto3.__version__, os.path.dirname(os.path.dirname(boto3.__file__)))").Output()
		if err != nil {
			return "", fmt.Errorf("%s has no boto3: pip install boto3, or apt-get install python3-boto3: %w", python, err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	return "", errors.New("there is none of " + strings.Join(interpreters, ", ") + ": install python3")
}
