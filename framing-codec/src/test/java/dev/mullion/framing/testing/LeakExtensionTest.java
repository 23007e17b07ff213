package dev.mullion.framing.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.testkit.engine.EventConditions.event;
import static org.junit.platform.testkit.engine.EventConditions.finishedSuccessfully;
import static org.junit.platform.testkit.engine.EventConditions.finishedWithFailure;
import static org.junit.platform.testkit.engine.EventConditions.test;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.instanceOf;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.message;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.suppressed;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.assertj.core.api.Condition;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.MethodName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;

class LeakExtensionTest {
  @Test
  void failsExactlyTheLeakingTests() {
    EngineExecutionResults results = run(SomeTestsLeak.class);

    results
        .testEvents()
        .finished()
        .assertThatEvents()
        .hasSize(4)
        .haveExactly(1, event(test("a_leaks"), finishedWithFailure(leakOf("a_leaks()"))))
        .haveExactly(1, event(test("b_isCleanAndReleasesTheLeaked"), finishedSuccessfully()))
        .haveExactly(
            1,
            event(
                test("c_failsAndLeaks"),
                finishedWithFailure(
                    instanceOf(AssertionError.class),
                    message("the first failure"),
                    suppressed(0, leakOf("c_failsAndLeaks()")))))
        .haveExactly(1, event(test("d_releasesLate"), finishedSuccessfully()));
    results.containerEvents().assertStatistics(containers -> containers.failed(0));
  }

  @Test
  void failsTheTestWhoseInstanceLeaks() {
    EngineExecutionResults results = run(FieldLeaks.class);

    results
        .testEvents()
        .finished()
        .assertThatEvents()
        .hasSize(1)
        .haveExactly(1, event(finishedWithFailure(leakOf("leaks()"))));
    results.containerEvents().assertStatistics(containers -> containers.failed(0));
  }

  @Test
  void failsTheClassWhoseSetupLeaks() {
    EngineExecutionResults results = run(SetupLeaks.class);

    results.testEvents().assertStatistics(tests -> tests.succeeded(1).failed(0));
    results
        .containerEvents()
        .failed()
        .assertThatEvents()
        .hasSize(1)
        .haveExactly(1, event(finishedWithFailure(leakOf("SetupLeaks"))));
  }

  private static EngineExecutionResults run(Class<?> tests) {
    return EngineTestKit.engine("junit-jupiter")
        .enableImplicitConfigurationParameters(true)
        .configurationParameter(LeakExtension.LOOKS, "400")
        .selectors(selectClass(tests))
        .execute();
  }

  private static Condition<Throwable> leakOf(String name) {
    return new Condition<>(
        thrown -> String.valueOf(thrown.getMessage())
                .matches("Possible memory leak detected .*\\b" + Pattern.quote(name) + "'.*")
            && throwablesIn(thrown).anyMatch(LeakExtensionTest::showsWhereTheBufferWasMade),
        "a leak of %s, with the place where the buffer was made",
        name);
  }

  private static Stream<Throwable> throwablesIn(Throwable thrown) {
    return Stream.concat(
            Stream.ofNullable(thrown.getCause()), Arrays.stream(thrown.getSuppressed()))
        .flatMap(inner -> Stream.concat(Stream.of(inner), throwablesIn(inner)));
  }

  private static boolean showsWhereTheBufferWasMade(Throwable thrown) {
    return Arrays.stream(thrown.getStackTrace())
        .anyMatch(frame -> frame.getMethodName().equals("newBuffer"));
  }

  private static ByteBuf newBuffer() {
    return ByteBufAllocator.DEFAULT.buffer(16);
  }

  @TestMethodOrder(MethodName.class)
  static class SomeTestsLeak {
    private static final List<ByteBuf> leaked = new ArrayList<>();

    @AutoClose("release")
    final ByteBuf owned = newBuffer();

    @Test
    void a_leaks() {
      leaked.add(newBuffer());
    }

    @Test
    void b_isCleanAndReleasesTheLeaked() {
      leaked.remove(0).release();
      newBuffer().release();
    }

    @Test
    void c_failsAndLeaks() {
      leaked.add(newBuffer());
      throw new AssertionError("the first failure");
    }

    @Test
    void d_releasesLate() {
      ByteBuf buffer = newBuffer();
      Executor late = CompletableFuture.delayedExecutor(20, TimeUnit.MILLISECONDS);
      late.execute(buffer::release);
    }
  }

  static class FieldLeaks {
    final ByteBuf leaked = newBuffer();

    @Test
    void leaks() {
      assertThat(leaked.refCnt()).isOne();
    }
  }

  static class SetupLeaks {
    private static final List<ByteBuf> leaked = new ArrayList<>();

    @BeforeAll
    static void leak() {
      leaked.add(newBuffer());
    }

    @Test
    void isClean() {
      newBuffer().release();
    }
  }
}
