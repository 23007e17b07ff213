package dev.mullion.messaging.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.rpc.RpcChannel;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The embedded engine behind a server, as a {@code Messaging} of another process sees it. */
class ServedMessagingTest {
  private static final WorkQueue<byte[]> LARGE = WorkQueue.of("large", Codecs.bytes());
  private static final WorkQueue<byte[]> SMALL = WorkQueue.of("small", Codecs.bytes());

  private final ArrayDeque<AutoCloseable> closing = new ArrayDeque<>();

  private Messaging connect(UnaryOperator<MessagingServer.Builder> settings) throws Exception {
    EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
    closing.push(broker);
    MessagingServer server = settings.apply(MessagingServer.builder(broker)).start();
    closing.push(server);
    RpcChannel channel =
        RpcChannel.builder().address("127.0.0.1", server.port()).build();
    closing.push(channel);
    Messaging messaging = Messaging.on(GrpcEngine.on(channel));
    closing.push(messaging);
    return messaging;
  }

  @AfterEach
  void close() throws Exception {
    while (!closing.isEmpty()) {
      closing.pop().close();
    }
  }

  /** What has no room is given back, and must come again, each message exactly once. */
  @Test
  void allIsHandledHoweverSmallTheBoundOfUnsettledBytes() throws Exception {
    Messaging messaging = connect(server -> server.maxUnsettledBytes(50_000));
    for (WorkQueue<byte[]> queue : List.of(LARGE, SMALL)) {
      for (int i = 0; i < 100; i++) {
        messaging.push(queue, new byte[queue == LARGE ? 20_000 : 10]).get();
      }
    }
    Set<String> handled = ConcurrentHashMap.newKeySet();
    for (WorkQueue<byte[]> queue : List.of(LARGE, SMALL)) {
      messaging.worker(queue).concurrency(4).prefetch(100).start(job -> {
        assertThat(job.deliveryCount()).isEqualTo(1);
        assertThat(handled.add(job.message().id())).isTrue();
      });
    }
    Eventually.isTrue("all handled", () -> handled.size() == 200);
    Eventually.isTrue("all settled", () -> settled(messaging));
  }

  private static boolean settled(Messaging messaging) {
    return Eventually.get("queues", messaging.queues().toCompletableFuture()).stream()
        .allMatch(each -> each.waiting() == 0 && each.inFlight() == 0 && each.deadLetters() == 0);
  }
}
