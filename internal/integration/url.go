package integration

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// target is the URL of an HTTP integration, in parts, so that path parameters
// can be put in.
type target struct {
	// before is scheme and authority; path the escaped path, cut where parameters
	// go: literal, name, literal, name, literal.
	before string
	path   []string
	query  string
}

// parseTarget reads an IntegrationUri: http or https, with {name} in its path
// for each of the path parameters.
func parseTarget(uri string, parameters []string) (*target, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of a backend; it must begin with http:// or https://", clip(uri))
	}
	if strings.Contains(rest, "#") {
		return nil, fmt.Errorf("%q has a fragment, which is never sent to a backend; leave it out", clip(uri))
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, slash := strings.Cut(rest, "/")
	if slash {
		path = "/" + path
	}
	t := &target{before: scheme + "://" + authority, query: query}
	var err error
	if t.path, err = splitPath(path); err != nil {
		return nil, err
	}
	if err := t.check(uri); err != nil {
		return nil, err
	}
	return t, t.checkParameters(parameters)
}

// splitPath cuts a path at its {name} parts; names are at odd indexes.
func splitPath(path string) ([]string, error) {
	var parts []string
	for {
		literal, rest, more := strings.Cut(path, "{")
		parts = append(parts, literal)
		if !more {
			return parts, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("the brace before %q is not closed", clip(rest))
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("path parameter: %w", err)
		}
		parts, path = append(parts, name), after
	}
}

// check parses the URL as it will be, with a letter for each parameter.
func (t *target) check(uri string) error {
	text, err := t.with(func(string) (string, error) { return "x", nil })
	if err != nil {
		return err
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is no URL: %w", clip(uri), errors.Unwrap(err))
	case u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("%q names no host", clip(uri))
	case u.User != nil:
		return fmt.Errorf("%q has a user name or password in it; send an Authorization header with a request parameter instead", clip(u.Redacted()))
	}
	if _, err := url.ParseQuery(t.query); err != nil {
		return fmt.Errorf("the query of %q cannot be read: %w", clip(uri), err)
	}
	return nil
}

// checkParameters holds the path's names against the mapped ones: each of
// either must be among the other.
func (t *target) checkParameters(mapped []string) error {
	var names []string
	for i := 1; i < len(t.path); i += 2 {
		names = append(names, t.path[i])
		if !slices.Contains(mapped, t.path[i]) {
			return fmt.Errorf("the URL has {%s}, but there is no RequestParameters[integration.request.path.%s] for it", t.path[i], t.path[i])
		}
	}
	for _, name := range mapped {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is a RequestParameters[integration.request.path.%s], but no {%s} in the URL's path", name, name)
		}
	}
	return nil
}

// with returns the URL without its query, each parameter replaced.
func (t *target) with(value func(name string) (string, error)) (string, error) {
	var b strings.Builder
	b.WriteString(t.before)
	for i, part := range t.path {
		if i%2 == 1 {
			v, err := value(part)
			if err != nil {
				return "", err
			}
			part = v
		}
		b.WriteString(part)
	}
	return b.String(), nil
}

// url makes the URL of one call: path parameters are percent-encoded into one
// segment, query parameters replace those of the same name.
func (t *target) url(path map[string]string, query url.Values) (string, error) {
	text, err := t.with(func(name string) (string, error) { return segment(name, path[name]) })
	if err != nil {
		return "", err
	}
	if len(query) == 0 {
		if t.query == "" {
			return text, nil
		}
		return text + "?" + t.query, nil
	}
	all, err := url.ParseQuery(t.query)
	if err != nil {
		return "", err
	}
	for name, values := range query {
		all[name] = values
	}
	return text + "?" + all.Encode(), nil
}

// segment percent-encodes a path parameter. One without a value, and the
// segments that lead upwards, are refused: they would call another resource
// than the one that the template's author meant.
func segment(name, value string) (string, error) {
	if value == "" || value == "." || value == ".." {
		return "", fmt.Errorf("the path parameter %s is %q, which would change the path of the URL", name, value)
	}
	return url.PathEscape(value), nil
}
