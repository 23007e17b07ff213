package dev.mullion.messaging.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.RejectedMessageException;
import dev.mullion.messaging.RequestFailedException;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.rpc.RpcChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** The embedded engine behind a server, as a {@code Messaging} of another process sees it. */
@Execution(ExecutionMode.CONCURRENT)
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

  /** All letters were loaded and kept for a client at once, and more than 10,000 were an error. */
  @Test
  void deadLettersAreReadAsTheClientTakesThem() throws Exception {
    Messaging messaging = connect(server -> server.maxMessageSize(200_000));
    messaging.pull(LARGE, job -> {
      throw new RejectedMessageException("no");
    });
    for (int i = 0; i < 100; i++) {
      messaging.push(LARGE, new byte[150_000]).get();
    }
    DeadLetters letters = messaging.deadLetters(LARGE);
    Eventually.isTrue(
        "letters", () -> Eventually.get("count", letters.count().toCompletableFuture()) == 100);
    assertThat(Eventually.get("all", letters.peek(20_000)))
        .hasSize(100)
        .allMatch(each -> each.original().payload().length == 150_000);
    assertThat(Eventually.get("some", letters.peek(7))).hasSize(7);
    assertThat(Eventually.get("count", letters.count())).isEqualTo(100);
  }

  /** The frame broke the replier's stream, and all that it held counted as lost. */
  @Test
  void replyAboveTheLimitIsAnErrorOfItsCaller() throws Exception {
    Messaging messaging = connect(server -> server.maxMessageSize(1000));
    Subject<byte[], byte[]> subject = Subject.of("large", Codecs.bytes(), Codecs.bytes());
    Subscription replier = messaging.reply(subject, request -> new byte[500_000]);
    Eventually.get("ready", replier.ready());
    CompletableFuture<byte[]> reply =
        messaging.request(subject, new byte[1], Duration.ofSeconds(30));
    assertThat(Eventually.failure("reply", reply))
        .isInstanceOf(RequestFailedException.class)
        .hasMessageContaining("exceeds maxMessageSize 1000 of the server");
    assertThat(messaging.counters().reconnects()).isZero();
  }

  /** The frame broke the client's stream, again and again. */
  @Test
  void deadLetterAboveTheLimitIsAnError() throws Exception {
    Messaging messaging = connect(server -> server.maxMessageSize(100));
    EmbeddedBroker broker = (EmbeddedBroker) closing.getLast();
    try (Messaging inside = Messaging.builder(broker).maxMessageSize(10 << 20).start()) {
      inside.pull(LARGE, job -> {
        throw new RejectedMessageException("no");
      });
      inside.pushMessage(LARGE, Message.of(new byte[5_000_000]).withId("large")).get();
      DeadLetters letters = messaging.deadLetters(LARGE);
      Eventually.isTrue(
          "letters", () -> Eventually.get("count", letters.count().toCompletableFuture()) == 1);
      for (CompletionStage<?> each :
          List.of(letters.peek(1), letters.redrive(1, any -> true), letters.purge(any -> true))) {
        assertThat(Eventually.failure("letters", each))
            .isInstanceOf(MessageTooLargeException.class)
            .hasMessage(
                "dead letter large of 5000000 bytes exceeds maxMessageSize 100" + " of the server");
      }
      assertThat(messaging.health().up()).isTrue();
    }
  }

  /** Another worker was idle, and they waited for as long as the handler took. */
  @Test
  void messagesBehindAHandlerThatBlocksGoToAnIdleWorker() throws Exception {
    Messaging messaging = connect(server -> server);
    CountDownLatch release = new CountDownLatch(1);
    for (int i = 0; i < 6; i++) {
      messaging.push(SMALL, new byte[i]).get();
    }
    Subscription busy = messaging.worker(SMALL).prefetch(10).start(job -> {
      assertThat(release.await(60, TimeUnit.SECONDS)).isTrue();
    });
    try {
      Eventually.isTrue("all fetched", () -> busy.counters().buffered() == 5);
      Set<Integer> others = ConcurrentHashMap.newKeySet();
      messaging.pull(SMALL, job -> {
        assertThat(job.deliveryCount()).isEqualTo(1);
        others.add(job.payload().length);
      });
      Eventually.isTrue("the others", () -> others.size() == 5);
      assertThat(busy.counters().inFlight()).isEqualTo(1);
      assertThat(busy.counters().givenBack()).isBetween(5L, 11L);
    } finally {
      release.countDown();
    }
    Eventually.isTrue("all settled", () -> settled(messaging));
  }

  private static boolean settled(Messaging messaging) {
    return Eventually.get("queues", messaging.queues().toCompletableFuture()).stream()
        .allMatch(each -> each.waiting() == 0 && each.inFlight() == 0 && each.deadLetters() == 0);
  }
}
