package instance

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// credentialsFile holds the secrets of a data folder, mode 0600.
const credentialsFile = "credentials.json"

// Credentials are the secrets of one data folder. They are made once, so that
// a function or a shell that has them keeps working after a restart.
type Credentials struct {
	// Credentials sign AWS calls. They have the form of AWS's temporary
	// credentials and are worth nothing on AWS.
	awswire.Credentials
	// AdminToken opens the admin API.
	AdminToken string `json:"adminToken"`
	// HandleKey authenticates the receipt handles of queues.
	HandleKey []byte `json:"handleKey"`
}

// Credentials reads the folder's secrets and makes them first if there are
// none.
func (d *Dir) Credentials() (Credentials, error) {
	c, err := ReadCredentials(d.Path)
	if !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	c = newCredentials()
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return c, fmt.Errorf("encode credentials: %w", err)
	}
	return c, writeFile(d.Join(credentialsFile), append(text, '\n'), 0o600)
}

// ReadCredentials reads the secrets of a data folder. A folder without any
// gives an error that is fs.ErrNotExist.
func ReadCredentials(dir string) (Credentials, error) {
	var c Credentials
	file := filepath.Join(dir, credentialsFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return c, fmt.Errorf("read credentials: %w", err)
	}
	if err := json.Unmarshal(text, &c); err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" || c.AdminToken == "" || len(c.HandleKey) < 32 {
		return c, fmt.Errorf("the file %s is damaged; remove it and start again to make a new one", file)
	}
	return c, nil
}

func newCredentials() Credentials {
	handleKey := make([]byte, 32)
	rand.Read(handleKey)
	return Credentials{
		Credentials: awswire.NewCredentials(),
		AdminToken:  rand.Text(),
		HandleKey:   handleKey,
	}
}
