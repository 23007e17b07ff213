package dev.mullion.net.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckTest {
  private static void rejects(String text, ThrowingCallable check) {
    assertThatIllegalArgumentException().isThrownBy(check).withMessage(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"localhost", "10.0.0.1", "::1", "[::1]", "fe80::1", "::ffff:10.0.0.1"})
  void hostsAreNamesAndAddresses(String host) {
    assertThat(Check.host(host)).isEqualTo(host);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"localhost:80", "http://localhost", "local host", "a/b", "a?b", "a#b", "a@b"})
  void hostsHaveNothingBesideTheName(String host) {
    rejects(
        "host: " + host + " (expected: a name or address, without scheme, port or path)",
        () -> Check.host(host));
  }

  @Test
  void numbersHaveBounds() {
    assertThat(Check.within(1, 1, 2, "x")).isEqualTo(1);
    assertThat(Check.within(2, 1, 2, "x")).isEqualTo(2);
    rejects("x: 0 (expected: 1 to 2)", () -> Check.within(0, 1, 2, "x"));
    rejects("x: 3 (expected: 1 to 2)", () -> Check.within(3, 1, 2, "x"));
    rejects("x: 0 (expected: >= 1)", () -> Check.within(0, 1, Integer.MAX_VALUE, "x"));
    assertThat(Check.atLeast(1, 1, "x")).isEqualTo(1);
    rejects("x: 0 (expected: >= 1)", () -> Check.atLeast(0, 1, "x"));
    assertThat(Check.notNegative(0, "x")).isZero();
    rejects("x: -1 (expected: >= 0)", () -> Check.notNegative(-1, "x"));
    assertThat(Check.positive(1, "x")).isEqualTo(1);
    rejects("x: 0 (expected: > 0)", () -> Check.positive(0, "x"));
  }

  @Test
  void durationsHaveBounds() {
    Duration two = Duration.ofSeconds(2);
    Duration one = Duration.ofSeconds(1);
    Duration zero = Duration.ZERO;
    Duration negative = Duration.ofNanos(-1);

    assertThat(Check.notNegative(zero, "x")).isEqualTo(zero);
    rejects("x: PT-0.000000001S (expected: >= PT0S)", () -> Check.notNegative(negative, "x"));
    assertThat(Check.positive(one, "x")).isEqualTo(one);
    rejects("x: PT0S (expected: > PT0S)", () -> Check.positive(zero, "x"));
    rejects("x: PT-0.000000001S (expected: > PT0S)", () -> Check.positive(negative, "x"));
    assertThat(Check.atLeast(two, two, "x")).isEqualTo(two);
    rejects("x: PT1S (expected: >= PT2S)", () -> Check.atLeast(one, two, "x"));
    assertThat(Check.zeroOrAtLeast(zero, two, "x")).isEqualTo(zero);
    assertThat(Check.zeroOrAtLeast(two, two, "x")).isEqualTo(two);
    rejects(
        "x: PT1S (expected: PT0S for none, or >= PT2S)", () -> Check.zeroOrAtLeast(one, two, "x"));
  }

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
