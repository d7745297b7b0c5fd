package vtl

import (
	"context"
	"strings"
	"testing"
)

// BenchmarkExecute writes the goldens that are most used.
func BenchmarkExecute(b *testing.B) {
	for _, name := range []string{"error_frame.json", "sqs_send_message", "dynamodb_put_item.json", "list_with_commas.json"} {
		parts := readGolden(b, "testdata/"+name+".txtar")
		template, err := Parse(strings.TrimSuffix(parts["template.vtl"], "\n"))
		if err != nil {
			b.Fatal(err)
		}
		d := goldenInput(b, parts["data.json"])
		b.Run(strings.TrimSuffix(name, ".json"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := template.Execute(context.Background(), d, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParse reads a template of 40 lines.
func BenchmarkParse(b *testing.B) {
	source := readGolden(b, "testdata/all_parameters.json.txtar")["template.vtl"]
	b.ReportAllocs()
	b.SetBytes(int64(len(source)))
	for b.Loop() {
		if _, err := Parse(source); err != nil {
			b.Fatal(err)
		}
	}
}
