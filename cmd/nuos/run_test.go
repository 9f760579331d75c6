package main

import (
	"reflect"
	"testing"

	"nuos/qemu"
)

func TestParseForward(t *testing.T) {
	tests := []struct {
		text string
		want qemu.Forward // zero: refused
	}{
		{"6379:80", qemu.Forward{Listen: "127.0.0.1:6379", Port: 80}},
		{"0.0.0.0:6379:80", qemu.Forward{Listen: "0.0.0.0:6379", Port: 80}},
		{"9102:9100@2", qemu.Forward{Listen: "127.0.0.1:9102", Port: 9100, Only: []int{2}}},
		{"0:9100@0", qemu.Forward{Listen: "127.0.0.1:0", Port: 9100, Only: []int{0}}},
		{text: "6379"}, {text: ""}, {text: "1:0"}, {text: "1:65536"}, {text: "1:2x"}, {text: "1:2@"}, {text: "1:2@x"},
		{text: "1:2@-1"}, {text: "@1"}, {text: "a:b:c:1"},
	}
	for _, test := range tests {
		got, err := parseForward(test.text)
		if !reflect.DeepEqual(got, test.want) || (err == nil) != (test.want.Port != 0) {
			t.Errorf("parseForward(%q) = %+v, %v; want %+v", test.text, got, err, test.want)
		}
	}
}
