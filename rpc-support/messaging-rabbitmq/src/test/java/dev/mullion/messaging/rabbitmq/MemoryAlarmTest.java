package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A broker that is short of memory reads nothing from connections that publish. */
@ExtendWith(WithBroker.class)
class MemoryAlarmTest {
  private static void alarm(boolean on) throws Exception {
    Broker.shared().control("set_vm_memory_high_watermark", on ? "0.00001" : "0.6");
  }

  @AfterEach
  void end() throws Exception {
    alarm(false);
  }

  @Test
  void sendsFailInTimeAndCloseKeepsItsDeadline() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("alarm-" + System.nanoTime(), Codecs.utf8());
    Signal<String> signal = Signal.of("alarm", Codecs.utf8());
    String payload = "x".repeat(10_000);
    Messaging messaging = Messaging.builder(
            RabbitMqUnderTest.engine(Broker.shared().port(), "alarm"))
        .sendTimeout(Duration.ofMillis(500))
        .start();
    try {
      messaging.push(queue, "before").get();
      alarm(true);
      List<CompletableFuture<Void>> sends = new ArrayList<>();
      long start = System.nanoTime();
      for (int i = 0; i < 500; i++) {
        sends.add(messaging.push(queue, payload));
      }
      long failed = 0;
      for (CompletableFuture<Void> each : sends) {
        failed += hasFailed(each) ? 1 : 0;
      }
      // The first ones may have been confirmed before the broker took notice.
      assertThat(failed).isPositive();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
      assertThat(messaging.health().up()).isFalse();
      assertThat(messaging.health().detail()).contains("blocks publishers");
      start = System.nanoTime();
      for (int i = 0; i < 10_000; i++) {
        messaging.send(signal, "x");
      }
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(1));
    } finally {
      long start = System.nanoTime();
      messaging.stop(Duration.ofSeconds(1));
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    }
  }

  private static boolean hasFailed(CompletableFuture<Void> send) throws Exception {
    try {
      send.get(5, TimeUnit.SECONDS);
      return false;
    } catch (ExecutionException e) {
      assertThat(e.getCause()).isInstanceOf(BrokerAwayException.class);
      return true;
    }
  }

  @Test
  void workGoesOnWhenTheAlarmIsOver() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("over-" + System.nanoTime(), Codecs.utf8());
    try (Messaging messaging = Messaging.builder(
            RabbitMqUnderTest.engine(Broker.shared().port(), "alarm"))
        .sendTimeout(Duration.ofSeconds(30))
        .start()) {
      messaging.push(queue, "before").get();
      alarm(true);
      CompletableFuture<Void> first = messaging.push(queue, "first");
      CompletableFuture<Void> second = messaging.push(queue, "second");
      alarm(false);
      first.get(20, TimeUnit.SECONDS);
      second.get(20, TimeUnit.SECONDS);
      messaging.push(queue, "after").get(20, TimeUnit.SECONDS);
    }
  }
}
