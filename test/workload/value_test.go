package workload

import (
	"strconv"
	"testing"
)

func TestValuesComeBack(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 9, 100} {
		for _, n := range []int{1, 9, 10, 12345} {
			value := valueOf(n, size)
			if want := max(size, len(strconv.Itoa(n))); len(value) != want && len(value) != want-1 {
				t.Errorf("valueOf(%d, %d) has %d bytes", n, size, len(value))
			}
			if got := numberOf(value, size); got != strconv.Itoa(n) {
				t.Errorf("numberOf(%q, %d) is %q", value, size, got)
			}
		}
	}
}

// What nobody appended must not be taken for a number.
func TestForeignElementsStayWhole(t *testing.T) {
	for _, element := range []string{"7:...x", "7:", "7", ":......", "7:.......", "x"} {
		if got := numberOf(element, 6); got != element && element != ":....." {
			t.Errorf("numberOf(%q) is %q", element, got)
		}
	}
}
