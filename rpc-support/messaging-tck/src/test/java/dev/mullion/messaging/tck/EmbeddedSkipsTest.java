package dev.mullion.messaging.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/** The embedded engine in memory skips nothing but what has to survive its own process. */
class EmbeddedSkipsTest {

  @Test
  void skipsOnlyWhatMustSurvive() {
    SuiteRun run =
        SuiteRun.of(EmbeddedTest.class, MessagingTck.Failures.class, MessagingTck.Outages.class);
    assertThat(run.skipped.values())
        .isNotEmpty()
        .allMatch(reason -> reason.startsWith("Guarantees.durability of embedded"));
    assertThat(run.skipped.keySet().stream()
            .map(name -> name.replaceAll("\\..*", ""))
            .distinct())
        .containsExactlyInAnyOrder("26", "46", "69", "70", "74", "75");
  }

  @Test
  void skipsNameAFieldOfGuarantees() throws Exception {
    EngineSuite suite = new EngineSuite() {
      @Override
      protected EngineUnderTest startEngine() throws Exception {
        return new EmbeddedUnderTest();
      }
    };
    suite.startUnderTest();
    try {
      assertThatThrownBy(() -> suite.capability(EngineUnderTest.Killable.class, "durability"))
          .isInstanceOf(TestAbortedException.class)
          .hasMessageStartingWith("Guarantees.durability of embedded");
      assertThatThrownBy(() -> suite.capability(EngineUnderTest.Killable.class, "killable"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("field: killable (expected: one of Guarantees)");
    } finally {
      suite.closeUnderTest();
    }
  }

  @Test
  void otherSkipsFail() throws Exception {
    EmbeddedUnderTest embedded = new EmbeddedUnderTest();
    try {
      embedded.skipping("durability", "Guarantees.durability is PROCESS");
      assertThatThrownBy(() -> embedded.skipping("order", "Guarantees.order is NONE"))
          .isInstanceOf(AssertionFailedError.class)
          .hasMessageContaining("Guarantees.order is NONE");
    } finally {
      embedded.close();
    }
  }
}
