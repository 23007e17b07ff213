package dev.mullion.messaging.tck;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.tck.BrokenEngine.Defect;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The suite finds an engine that is broken: each defect fails a case that is named here. */
@Execution(ExecutionMode.CONCURRENT)
class BrokenEnginesTest {
  /** That of a run of the suite: its threads inherit it. */
  private static final InheritableThreadLocal<Defect> DEFECT = new InheritableThreadLocal<>();

  @ParameterizedTest(name = "{0} fails case {2} of {1}")
  @CsvSource({
    "LOSES_ONE_IN_A_THOUSAND,  PushPull,         22",
    "LOSES_ONE_IN_A_THOUSAND,  PublishSubscribe, 10",
    "DUPLICATES,               PushPull,         22",
    "DUPLICATES,               PublishSubscribe, 4",
    "FORGETS_COUNTS,           PushPull,         23",
    "BREAKS_KEY_ORDER,         Topics,           15",
    "BLOCKS_IN_SEND,           FireAndForget,    63",
    "DELIVERS_BEYOND_CREDIT,   Queues,           40",
    "REDELIVERS_TOO_EARLY,     Redeliveries,     31",
    "LOSES_WHAT_IS_GIVEN_BACK, Queues,           38",
    "ACKNOWLEDGES_NOTHING_ON_STOP, Life,         65",
    "MIXES_UP_REPLIES,         RequestReply,     54",
  })
  void isFound(Defect broken, String chapter, String number) throws Exception {
    Class<?> nested = Class.forName(MessagingTck.class.getName() + "$" + chapter);
    SuiteRun sound = run(Defect.NONE, nested, number);
    assertThat(sound.run).containsExactly(number);
    assertThat(sound.failures).as("without the defect").isEmpty();
    assertThat(run(broken, nested, number).failed).containsExactly(number);
  }

  private static SuiteRun run(Defect defect, Class<?> chapter, String number) {
    DEFECT.set(defect);
    try {
      return SuiteRun.ofCase(Broken.class, chapter, number);
    } finally {
      DEFECT.remove();
    }
  }

  @Test
  void forgettingOnRestartIsFound() {
    SuiteRun counts = SuiteRun.ofCase(ForgetsOnRestart.class, MessagingTck.Failures.class, "26");
    assertThat(counts.failures.keySet()).anyMatch(name -> name.contains("restart of the engine"));
    SuiteRun patterns = SuiteRun.ofCase(ForgetsOnRestart.class, MessagingTck.Outages.class, "69");
    assertThat(patterns.failed).containsExactly("69");
  }

  /** Not run by itself: it must fail. */
  static final class ForgetsOnRestart extends MessagingTck {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return new RestartedInMemory();
    }
  }

  private static final class RestartedInMemory implements EngineUnderTest.Restartable {
    private EmbeddedBroker broker = EmbeddedEngine.inMemory().start();

    RestartedInMemory() throws MessagingException {}

    @Override
    public Engine engine() {
      return broker;
    }

    @Override
    public Profile profile() {
      return Profile.defaults().withDeadlines(Duration.ofSeconds(10), Duration.ofSeconds(2));
    }

    @Override
    public void stop() {
      broker.close();
    }

    @Override
    public void start() throws MessagingException {
      broker = EmbeddedEngine.inMemory().start();
    }

    @Override
    public boolean clientsSurvive() {
      return false;
    }

    @Override
    public void close() {
      broker.close();
    }
  }

  /** Not run by itself: it must fail. */
  static final class Broken extends MessagingTck {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return new BrokenEngine(DEFECT.get());
    }
  }
}
