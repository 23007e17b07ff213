package dev.mullion.messaging.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The faults happen, and nothing that was accepted is lost by them. */
class FaultyEngineTest {
  private static final WorkQueue<String> JOBS = WorkQueue.builder("jobs", Codecs.utf8())
      .redelivery(Redelivery.immediate(5))
      .build();
  private static final List<String> SENT = EngineSuite.numbered("", 500);

  @Test
  void duplicatesCome() throws Exception {
    Received<String> received =
        run(FaultyEngine.over(EmbeddedEngine.inMemory()).duplicates(0.5), 1);
    received.awaitAll(SENT);
    received.awaitQuiet();
    assertThat(received.size()).isBetween(650, 850);
  }

  @Test
  void messagesOvertakeEachOther() throws Exception {
    Received<String> received = run(FaultyEngine.over(EmbeddedEngine.inMemory()).reorders(0.2), 20);
    received.awaitExactly(SENT);
    assertThat(received.payloads()).isNotEqualTo(SENT);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 20})
  void delaysAndCutsKeepOrderAndCount(int prefetch) throws Exception {
    Received<String> received =
        run(FaultyEngine.over(EmbeddedEngine.inMemory()).delays(0.2).cuts(0.5), prefetch);
    received.awaitExactly(SENT);
    assertThat(received.payloads()).isEqualTo(SENT);
    assertThat(received.entries()).allMatch(entry -> entry.count() == 1);
  }

  private static Received<String> run(FaultyEngine.Builder faults, int prefetch) throws Exception {
    Profile profile = Profile.defaults().withDuplicates(0);
    Received<String> received = new Received<>(profile);
    try (FaultyEngine engine = faults.seed(4).build();
        Messaging messaging = Messaging.on(engine)) {
      for (String job : SENT) {
        messaging.push(JOBS, job).get(10, TimeUnit.SECONDS);
      }
      messaging.worker(JOBS).prefetch(prefetch).start(received);
      received.awaitAll(SENT);
      received.awaitQuiet();
    }
    return received;
  }

  @Test
  void cutTakesTheEngineAway() throws Exception {
    try (FaultyEngine engine =
            FaultyEngine.over(EmbeddedEngine.inMemory().start()).build();
        Messaging messaging = Messaging.on(engine)) {
      messaging.push(JOBS, "before").get(10, TimeUnit.SECONDS);
      engine.cut();
      assertThat(messaging.health().up()).isFalse();
      assertThatThrownBy(() -> messaging.push(JOBS, "during").get(10, TimeUnit.SECONDS))
          .cause()
          .isInstanceOf(BrokerAwayException.class)
          .hasMessageContaining("cut");
      assertThatThrownBy(() -> Messaging.on(engine)).isInstanceOf(BrokerAwayException.class);
      engine.restore();
      messaging.push(JOBS, "after").get(10, TimeUnit.SECONDS);
      Received<String> received = new Received<>(Profile.defaults());
      messaging.pull(JOBS, received);
      received.awaitExactly(List.of("before", "after"));
    }
  }
}
