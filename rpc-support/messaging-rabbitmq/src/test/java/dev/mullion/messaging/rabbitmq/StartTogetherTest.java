package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.WorkQueue;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Processes that start at once on a new broker. RabbitMQ closed connections with INTERNAL_ERROR:
 * one process read the stream of declarations that another one was just creating.
 */
@ExtendWith(WithBroker.class)
class StartTogetherTest {
  private static final int ROUNDS = 20;
  private static final int TOGETHER = 6;
  private static final WorkQueue<String> QUEUE = WorkQueue.of("together", Codecs.utf8());

  private final ExecutorService threads = Executors.newFixedThreadPool(TOGETHER);
  private final ConcurrentLinkedQueue<Throwable> lost = new ConcurrentLinkedQueue<>();

  @AfterEach
  void endThreads() {
    threads.shutdownNow();
  }

  @Test
  void noneLosesItsConnection() throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      RabbitMqEngine engine =
          RabbitMqUnderTest.engine(Broker.shared().port(), "together-" + System.nanoTime());
      Callable<Boolean> start = () -> {
        try (Messaging messaging =
            Messaging.builder(engine).listener(new Losses()).start()) {
          messaging.declare(QUEUE);
          return messaging.health().up();
        }
      };
      List<Future<Boolean>> started =
          Collections.nCopies(TOGETHER, start).stream().map(threads::submit).toList();
      for (Future<Boolean> each : started) {
        assertThat(each.get(90, TimeUnit.SECONDS)).as(lost::toString).isTrue();
      }
      Leftovers.delete(engine);
    }
    assertThat(lost).isEmpty();
  }

  private final class Losses implements MessagingListener {
    @Override
    public void connectionLost(String where, Throwable cause) {
      lost.add(cause);
    }
  }
}
