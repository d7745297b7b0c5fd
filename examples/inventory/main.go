// Command inventory runs the shop of this folder: its page, and, unless there is
// a deployed one, its backend.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/push/client/js"
)

//go:embed page
var page embed.FS

// settings are the flags.
type settings struct {
	page, api, template         string
	gateway, aws, console, data string
}

func main() {
	var s settings
	flag.StringVar(&s.page, "page", "127.0.0.1:8080", "where the page is served, `HOST:PORT`")
	flag.StringVar(&s.api, "api", "", "the `URL` of a backend that runs already, ws://... or wss://...; nothing else is started then")
	flag.StringVar(&s.template, "template", "", "the `FILE` of the backend's template; by default that of this folder")
	flag.StringVar(&s.gateway, "gateway", gatepost.DefaultGateway, "where pages connect, `HOST:PORT`")
	flag.StringVar(&s.aws, "aws", gatepost.DefaultAWS, "where the AWS endpoint is, `HOST:PORT`")
	flag.StringVar(&s.console, "console", gatepost.DefaultConsole, "where the admin API is, `HOST:PORT`")
	flag.StringVar(&s.data, "data", "", "the `FOLDER` of the running backend's addresses and keys; by default .gatepost beside the template")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "inventory:", err)
		os.Exit(1)
	}
}

// run serves the page until ctx ends, and the backend if there is none.
func run(ctx context.Context, s settings) error {
	listener, err := net.Listen("tcp", s.page)
	if err != nil {
		return err
	}
	defer listener.Close()
	if s.api != "" {
		return s.serve(ctx, listener)
	}
	server, err := s.backend()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	backend := make(chan error, 1)
	go func() { backend <- server.Run(ctx); cancel() }()
	err = s.open(ctx, server, listener)
	cancel()
	return errors.Join(err, <-backend)
}

// backend is the template's system, for this run only: nothing of it is kept.
func (s settings) backend() (*gatepost.Server, error) {
	for _, place := range []string{"examples/inventory/template.yaml", "template.yaml"} {
		if _, err := os.Stat(place); err == nil && s.template == "" {
			s.template = place
		}
	}
	if s.template == "" {
		return nil, errors.New("there is no template here: run it in the repository, or name the file with -template")
	}
	if s.data == "" {
		s.data = filepath.Join(filepath.Dir(s.template), ".gatepost")
	}
	system, err := gatepost.LoadStack(s.template)
	if err != nil {
		return nil, err
	}
	fmt.Println("Building the functions; the first time takes a minute.")
	return gatepost.New(gatepost.Config{
		Stack: system, Data: s.data, Gateway: s.gateway, AWS: s.aws, Console: s.console,
		Ephemeral: true, FunctionOutput: os.Stdout,
	})
}

// open waits for the backend, has the shelves filled, and serves the page.
func (s settings) open(ctx context.Context, server *gatepost.Server, listener net.Listener) error {
	select {
	case <-ctx.Done():
		return nil
	case <-server.Ready():
	}
	if err := deliver(ctx, server.Environment()); err != nil {
		return err
	}
	s.api = server.Addresses()[0].URL
	return s.serve(ctx, listener)
}

// deliver invokes the function restock, as `aws lambda invoke` would.
func deliver(ctx context.Context, env map[string]string) error {
	client := lambda.New(lambda.Options{
		Region:       env["AWS_REGION"],
		BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]),
		Credentials:  credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]),
	})
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("restock"), Payload: []byte("{}")})
	if err == nil && out.FunctionError != nil {
		err = fmt.Errorf("%s: %s", *out.FunctionError, out.Payload)
	}
	if err != nil {
		return fmt.Errorf("restock: %w", err)
	}
	return nil
}

// serve serves the page until ctx ends.
func (s settings) serve(ctx context.Context, listener net.Listener) error {
	web := &http.Server{Handler: pages(s.api), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { web.Close() })()
	fmt.Printf("The shop is open: http://%s\nIts backend:      %s\nOpen it in two windows and order something. Ctrl-C ends it.\n", listener.Addr(), s.api)
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// pages serves the page, the push house's client for browsers, and the backend's
// address. On AWS the same files lie in a bucket.
func pages(api string) http.Handler {
	root, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(root))
	mux.Handle("GET /push/", http.StripPrefix("/push/", http.FileServerFS(js.Files)))
	mux.HandleFunc("GET /api.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]string{"url": api})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The page runs its own scripts only, and talks to its backend only.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; connect-src 'self' "+api+"; frame-ancestors 'none'")
		mux.ServeHTTP(w, r)
	})
}
