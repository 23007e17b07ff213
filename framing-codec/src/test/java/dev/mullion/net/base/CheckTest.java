package dev.mullion.net.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class CheckTest {
  @Test
  void missingLibraryIsNamedWithItsPlace() {
    assertThatThrownBy(
            () -> Check.present(CheckTest.class, "x", "no.such.Type", "no.such:type", "no.such"))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("x needs no.such:type" + Check.place("no.such"))
        .hasCauseInstanceOf(ClassNotFoundException.class);
    Check.present(CheckTest.class, "x", CheckTest.class.getName(), "", "");
  }

  /** "On the class path" was said on a module path too, where more than the jar is needed. */
  @Test
  void placeDependsOnThePath() {
    assertThat(Check.place("a.b", false)).isEqualTo(" on the class path");
    assertThat(Check.place("a.b,c", true))
        .isEqualTo(" on the module path, with --add-modules a.b,c");
  }
}
