package dev.mullion.messaging.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import dev.mullion.messaging.tck.BrokenEngine.Defect;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestExecutionResult.Status;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** The suite finds an engine that is broken: each defect fails a case that is named here. */
class BrokenEnginesTest {
  private static volatile Defect defect = Defect.NONE;

  @ParameterizedTest(name = "{0} fails {2}")
  @CsvSource({
    "LOSES_ONE_IN_A_THOUSAND,  PushPull,          22",
    "LOSES_ONE_IN_A_THOUSAND,  PublishSubscribe,  17",
    "DUPLICATES,               PushPull,          22",
    "DUPLICATES,               PublishSubscribe,  4",
    "FORGETS_COUNTS,           PushPull,          23",
    "BREAKS_KEY_ORDER,         Topics,            15",
    "BLOCKS_IN_SEND,           FireAndForget,     63",
    "DELIVERS_BEYOND_CREDIT,   Queues,            40",
    "REDELIVERS_TOO_EARLY,     Redeliveries,      31",
    "LOSES_WHAT_IS_GIVEN_BACK, Queues,            38",
    "MIXES_UP_REPLIES,         RequestReply,      54",
  })
  void isFound(Defect broken, String chapter, String number) throws Exception {
    assertThat(failedCases(broken, chapter)).contains(number);
  }

  @ParameterizedTest
  @CsvSource({"PushPull", "FireAndForget", "RequestReply"})
  void nothingIsFoundWithoutDefect(String chapter) throws Exception {
    assertThat(failedCases(Defect.NONE, chapter)).isEmpty();
  }

  private static Set<String> failedCases(Defect broken, String chapter) throws Exception {
    defect = broken;
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(
                List.of(selectClass(Class.forName(chapterOf(chapter)))))
            .build();
    Failures failures = new Failures();
    LauncherFactory.create().execute(request, failures);
    assertThat(failures.started).as("cases that were run").isNotEmpty();
    return new TreeSet<>(failures.numbers);
  }

  private static String chapterOf(String chapter) {
    return BrokenEnginesTest.class.getName() + "$" + chapter;
  }

  private static EngineUnderTest broken() throws Exception {
    return new BrokenEngine(defect);
  }

  // The chapters over a broken engine: run by the methods above only, since they must fail.

  static final class PushPull extends PushPullSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return broken();
    }
  }

  static final class PublishSubscribe extends PublishSubscribeSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return broken();
    }
  }

  static final class Topics extends TopicSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return broken();
    }
  }

  static final class Redeliveries extends RedeliverySuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return broken();
    }
  }

  static final class Queues extends QueueSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return broken();
    }
  }

  static final class RequestReply extends RequestReplySuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return broken();
    }
  }

  static final class FireAndForget extends FireAndForgetSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return broken();
    }
  }

  private static final class Failures implements TestExecutionListener {
    final Set<String> numbers = ConcurrentHashMap.newKeySet();
    final Set<String> started = ConcurrentHashMap.newKeySet();

    @Override
    public void executionStarted(TestIdentifier test) {
      if (test.isTest()) {
        started.add(test.getDisplayName());
      }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      if (test.isTest() && result.getStatus() == Status.FAILED) {
        numbers.add(test.getDisplayName().replaceAll("\\..*", ""));
      }
    }
  }
}
