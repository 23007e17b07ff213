package dev.mullion.messaging.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.rpc.RpcChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KilledServerTest {
  private static final Duration STARTS_WITHIN = Duration.ofMinutes(1);
  private static final WorkQueue<String> JOBS = WorkQueue.builder("jobs", Codecs.utf8())
      .redelivery(Redelivery.constant(5, Duration.ofMillis(20)))
      .build();

  @TempDir
  Path directory;

  @Test
  void allThatWasAcceptedIsHandledAndNothingBuried() throws Exception {
    ServerProcess server = new ServerProcess(directory);
    server.start();
    Set<String> handled = ConcurrentHashMap.newKeySet();
    Queue<Integer> counts = new ConcurrentLinkedQueue<>();
    try (RpcChannel channel =
            RpcChannel.builder().address("127.0.0.1", server.port()).build();
        Messaging messaging = Messaging.builder(
                GrpcEngine.builder(channel).maxBackoff(Duration.ofMillis(200)).build())
            .sendTimeout(STARTS_WITHIN)
            .start()) {
      messaging.worker(JOBS).concurrency(4).start(job -> {
        counts.add(job.deliveryCount());
        handled.add(job.payload());
      });
      List<String> accepted = new ArrayList<>();
      for (int round = 0; round < 2; round++) {
        Map<String, CompletableFuture<Void>> pushed = new ConcurrentHashMap<>();
        for (int i = 0; i < 200; i++) {
          String job = round + "/" + i;
          CompletableFuture<Void> push = messaging.pushMessage(JOBS, Message.of(job));
          pushed.put(job, push);
          if (i == 100) {
            push.get(10, TimeUnit.SECONDS);
            server.kill();
            server.start();
          }
        }
        accepted.addAll(accepted(pushed));
      }
      assertThat(accepted).hasSizeGreaterThan(200);
      Eventually.isTrue("all handled", () -> handled.containsAll(accepted));
      // The death of the server is not that of the worker: no delivery counts as lost.
      assertThat(counts).containsOnly(1);
      assertThat(messaging.counters().reconnects()).isEqualTo(2);
    } finally {
      server.kill();
    }
  }

  private static List<String> accepted(Map<String, CompletableFuture<Void>> pushed)
      throws Exception {
    List<String> accepted = new ArrayList<>();
    for (Map.Entry<String, CompletableFuture<Void>> each : pushed.entrySet()) {
      try {
        each.getValue().get(STARTS_WITHIN.toSeconds(), TimeUnit.SECONDS);
        accepted.add(each.getKey());
      } catch (ExecutionException e) {
        assertThat(e.getCause() instanceof MessagingException failed && failed.maybeAccepted())
            .as("maybeAccepted of %s", e.getCause())
            .isTrue();
      }
    }
    return accepted;
  }
}
