package dev.mullion.messaging.grpc;

import static dev.mullion.messaging.grpc.StubClient.frame;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Declare;
import dev.mullion.messaging.grpc.v1.DeleteQueue;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Queue;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DeclaredQueuesTest {
  private final ScriptedEngine engine = new ScriptedEngine();
  private MessagingServer server;

  @BeforeEach
  void start() throws Exception {
    server = MessagingServer.builder(engine).maxQueues(2).start();
  }

  @AfterEach
  void stop() {
    server.stop(Duration.ofSeconds(2));
  }

  private static ClientFrame.Builder declare(long id, String name) {
    return frame()
        .setDeclare(Declare.newBuilder().setId(id).setQueue(Queue.newBuilder().setName(name)));
  }

  private static ClientFrame.Builder delete(long id, String name) {
    return frame()
        .setDeleteQueue(
            DeleteQueue.newBuilder().setId(id).setQueue(Queue.newBuilder().setName(name)));
  }

  private static String declared(StubClient client, String name) {
    client.send(declare(1, name));
    return client.done().getError().getText();
  }

  private static QueueStatus status(String name) {
    return new QueueStatus(name, Optional.empty(), 0, 0, 0, 0, 0, 0, 0, 0, 0, Duration.ZERO);
  }

  /** No client could declare anything, and each waited ten seconds to be told so. */
  @Test
  void engineThatListsLateFailsNoDeclaration() {
    engine.listing = new CompletableFuture<>();
    try (StubClient first = StubClient.connect(server);
        StubClient second = StubClient.connect(server)) {
      first.send(declare(1, "a"));
      Eventually.isTrue("it is asked", () -> engine.listings.get() == 1);
      assertThat(declared(second, "a")).isEmpty();
      assertThat(first.done().getError().getText()).isEmpty();
      assertThat(engine.listings).hasValue(1);
      engine.listing.complete(List.of(status("b")));
      assertThat(declared(first, "b")).isEmpty();
      assertThat(declared(second, "c")).startsWith("queues and groups: 2 (expected: < 2");
    }
  }

  @Test
  void engineThatDoesNotListFailsNoDeclaration() {
    engine.listing = CompletableFuture.failedFuture(new BrokerAwayException("no", null, false));
    try (StubClient client = StubClient.connect(server)) {
      assertThat(declared(client, "a")).isEmpty();
      assertThat(declared(client, "b")).isEmpty();
      assertThat(declared(client, "c")).startsWith("queues and groups: 2 (expected: < 2");
      assertThat(declared(client, "a")).isEmpty();
    }
  }

  /** The end of the deletion took away a name that was declared since. */
  @Test
  void queueThatIsDeclaredDuringItsDeletionCounts() {
    engine.listing = CompletableFuture.completedFuture(List.of(status("a"), status("b")));
    engine.deleting = new CompletableFuture<>();
    try (StubClient client = StubClient.connect(server)) {
      client.send(declare(1, "a"), declare(2, "b"), delete(3, "a"), declare(4, "a"));
      Map<Long, String> errors = new HashMap<>();
      while (!errors.containsKey(4L)) {
        note(errors, client.done());
      }
      engine.deleting.complete(null);
      while (!errors.containsKey(3L)) {
        note(errors, client.done());
      }
      assertThat(errors).allSatisfy((id, text) -> assertThat(text).isEmpty());
      assertThat(declared(client, "c")).startsWith("queues and groups: 2 (expected: < 2");
    }
  }

  private static void note(Map<Long, String> errors, Done done) {
    errors.put(done.getId(), done.getError().getText());
    done.getMoreIdsList().forEach(id -> errors.put(id, done.getError().getText()));
  }

  @Test
  void queueWhoseDeletionFailsCounts() {
    engine.listing = CompletableFuture.completedFuture(List.of(status("a"), status("b")));
    engine.deleting = CompletableFuture.failedFuture(new BrokerAwayException("no", null, true));
    try (StubClient client = StubClient.connect(server)) {
      assertThat(declared(client, "a")).isEmpty();
      client.send(delete(2, "a"));
      assertThat(client.done().getError().getText()).isEqualTo("no");
      assertThat(declared(client, "c")).startsWith("queues and groups: 2 (expected: < 2");
    }
  }
}
