package dev.mullion.messaging.grpc;

import static dev.mullion.messaging.grpc.StubClient.frame;
import static dev.mullion.messaging.grpc.StubClient.subscription;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.grpc.v1.Acknowledged;
import dev.mullion.messaging.grpc.v1.CancelRequest;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Credit;
import dev.mullion.messaging.grpc.v1.Declare;
import dev.mullion.messaging.grpc.v1.DeleteQueue;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Extend;
import dev.mullion.messaging.grpc.v1.Message;
import dev.mullion.messaging.grpc.v1.Ping;
import dev.mullion.messaging.grpc.v1.Queue;
import dev.mullion.messaging.grpc.v1.Redelivery;
import dev.mullion.messaging.grpc.v1.Request;
import dev.mullion.messaging.grpc.v1.Send;
import dev.mullion.messaging.grpc.v1.ServerFrame.FrameCase;
import dev.mullion.messaging.grpc.v1.Settle;
import dev.mullion.messaging.grpc.v1.Signal;
import io.grpc.Status;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Clients that want to harm the server, or others, and one that must not notice. */
class HostileClientsTest {
  private static final WorkQueue<String> JOBS = WorkQueue.of("jobs", Codecs.utf8());
  private static final Subject<String, String> ECHO =
      Subject.of("echo", Codecs.utf8(), Codecs.utf8());
  private static final Duration FOREVER = Duration.newBuilder()
      .setSeconds(Long.MAX_VALUE)
      .setNanos(Integer.MAX_VALUE)
      .build();

  private EmbeddedBroker broker;
  private Messaging good;
  private MessagingServer server;

  @BeforeEach
  void start() throws Exception {
    broker = EmbeddedEngine.inMemory().start();
    good = Messaging.on(broker);
    server = MessagingServer.builder(broker)
        .maxBacklog(1 << 20)
        .maxSubscriptions(50)
        .maxQueues(20)
        .start();
  }

  /** Whatever a client did, nothing of it is left, and others are served. */
  @AfterEach
  void nothingIsLeft() throws Exception {
    try {
      Eventually.isTrue("no client", () -> server.clients() == 0);
      good.reply(ECHO, question -> question.payload());
      assertThat(good.request(ECHO, "hello", java.time.Duration.ofSeconds(20)).get())
          .isEqualTo("hello");
      assertThat(good.queues().toCompletableFuture().get())
          .allMatch(each -> each.consumers() == 0 && each.inFlight() == 0);
    } finally {
      server.close();
      good.close();
      broker.close();
    }
  }

  private void ended(ClientFrame.Builder frame, String text) {
    try (StubClient client = StubClient.connect(server)) {
      client.send(frame);
      Status status = client.status();
      assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
      assertThat(status.getDescription()).startsWith(text);
    }
  }

  private static ClientFrame.Builder subscribe(long id, String queue, int credit) {
    return subscription(
        id, wire -> wire.setQueue(Queue.newBuilder().setName(queue)).setCredit(credit));
  }

  private static ClientFrame.Builder send(long id, Message.Builder message) {
    return frame().setSend(Send.newBuilder().setId(id).setTopic("prices").setMessage(message));
  }

  @Test
  void subscriptionsThatComeAndGoLeaveNothing() {
    try (StubClient client = StubClient.connect(server)) {
      for (int round = 0; round < 300; round++) {
        client.subscribe(
            1, wire -> wire.setQueue(Queue.newBuilder().setName("jobs")).setCredit(1));
        client.subscribe(2, wire -> wire.setTopic("prices").setCredit(10_000));
        client.subscribe(3, wire -> wire.setSubject("s").setCredit(1));
        client.subscribe(4, wire -> wire.setSignal("beat").setCredit(1));
        for (int id = 1; id <= 4; id++) {
          client.unsubscribe(id, true);
          client.expect(FrameCase.ENDED);
        }
      }
      Eventually.isTrue("no consumer", () -> consumers() == 0);
    }
  }

  private int consumers() {
    return Eventually.get("queues", good.queues().toCompletableFuture()).stream()
        .mapToInt(each -> each.consumers())
        .sum();
  }

  /** Those that still wait for outcomes count, or a client could have any number of them. */
  @Test
  void subscriptionsThatEndHalfAreBounded() {
    try (StubClient client = StubClient.connect(server)) {
      for (int id = 1; id <= 60 && !client.status.isDone(); id++) {
        client.send(subscribe(id, "jobs", 0));
        client.unsubscribe(id, false);
      }
      assertThat(client.status().getDescription()).startsWith("subscriptions: 50 (expected: <= 50");
    } catch (IllegalStateException sentAfterTheEnd) {
      assertThat(sentAfterTheEnd).hasMessageContaining("call");
    }
  }

  @Test
  void requestsThatNobodyAnswersLeaveNothing() {
    try (StubClient client = StubClient.connect(server)) {
      for (long id = 1; id <= 2_000; id++) {
        client.send(frame()
            .setRequest(Request.newBuilder().setId(id).setSubject("nobody").setTimeout(FOREVER)));
        client.send(frame().setCancelRequest(CancelRequest.newBuilder().setId(id)));
        if (id % 500 == 0) {
          client.ping();
        }
      }
      client.ping();
      assertThat(client.status).isNotDone();
    }
  }

  @Test
  void settlementsOfAllKindsCountOnce() throws Exception {
    try (StubClient client = StubClient.connect(server)) {
      client.pull(1, "jobs", 10);
      good.push(JOBS, "one").toCompletableFuture().get();
      long id = client.delivery().getDelivery();
      List<Long> again = Collections.nCopies(2_000, id);
      client.send(frame()
          .setSettle(Settle.newBuilder()
              .setDelivery(id)
              .setAcknowledged(Acknowledged.newBuilder().addAllMoreDeliveries(again))));
      client.settle(id, settle -> settle.setFailed("x".repeat(100_000)));
      for (int i = 0; i < 2_002; i++) {
        client.settlement();
      }
      assertThat(good.deadLetters(JOBS).count().toCompletableFuture().get()).isZero();
    }
    ended(
        frame().setSettle(Settle.newBuilder().setDelivery(-1)),
        "delivery: -1 (expected: one that was delivered, 1 to 0)");
  }

  /** They stay when their client leaves: clients that came and went filled the engine. */
  @Test
  void queuesOfAllClientsAreBounded() throws Exception {
    good.declare(JOBS);
    String text = "queues and groups: 20 (expected: < 20, the server's maxQueues, to declare ";
    for (int i = 0; i < 30; i++) {
      try (StubClient client = StubClient.connect(server)) {
        Queue.Builder queue = Queue.newBuilder().setName("queue" + i);
        if (i % 3 == 0) {
          queue.setTopic("prices.*");
        }
        Error error = i % 2 == 0 ? declared(client, queue) : pulled(client, queue);
        assertThat(error.getText())
            .isEqualTo(i < 19 ? "" : text + (i % 3 == 0 ? "prices/queue" : "queue") + i + ")");
        assertThat(error.getKind())
            .isEqualTo(i < 19 ? Error.Kind.KIND_UNSPECIFIED : Error.Kind.KIND_UNSUPPORTED_SETTING);
        assertThat(declared(client, Queue.newBuilder().setName("queue1")).getText())
            .isEmpty();
      }
    }
    assertThat(good.queues().toCompletableFuture().get()).hasSize(20);
    good.delete(JOBS).toCompletableFuture().get();
    try (StubClient client = StubClient.connect(server)) {
      Eventually.isTrue(
          "room for another",
          () ->
              declared(client, Queue.newBuilder().setName("another")).getText().isEmpty());
      assertThat(pulled(client, Queue.newBuilder().setName("yet-another")).getText())
          .isEqualTo(text + "yet-another)");
    }
  }

  /** A message makes a queue anew in some engines. */
  @Test
  void queuesThatOthersDeletedCountAgainWhenTheyAreUsed() throws Exception {
    try (StubClient client = StubClient.connect(server);
        StubClient other = StubClient.connect(server)) {
      for (int i = 0; i < 30; i++) {
        String name = "queue" + i;
        assertThat(declared(client, Queue.newBuilder().setName(name)).getText())
            .isEqualTo(
                i < 20
                    ? ""
                    : "queues and groups: 20 (expected: < 20, the server's maxQueues,"
                        + " to declare " + name + ")");
        if (i < 20) {
          assertThat(deleted(other, name).getText()).isEmpty();
          assertThat(pushed(client, name).getText()).isEmpty();
        }
      }
    }
    assertThat(good.queues().toCompletableFuture().get()).hasSize(20);
  }

  /** A queue for each task ended the stream of its producer. */
  @Test
  void deletedQueuesOfOneClientAreForgotten() {
    try (StubClient client = StubClient.connect(server);
        StubClient other = StubClient.connect(server)) {
      assertThat(declared(client, Queue.newBuilder().setName("first")).getText())
          .isEmpty();
      for (int i = 0; i < 60; i++) {
        assertThat(declared(client, Queue.newBuilder().setName("task" + i)).getText())
            .isEmpty();
        assertThat(deleted(other, "task" + i).getText()).isEmpty();
      }
      assertThat(pushed(client, "first").getText()).isEmpty();
      assertThat(client.status).isNotDone();
    }
  }

  private static Error deleted(StubClient client, String queue) {
    client.send(frame()
        .setDeleteQueue(
            DeleteQueue.newBuilder().setId(8).setQueue(Queue.newBuilder().setName(queue))));
    return client.done().getError();
  }

  private static Error pushed(StubClient client, String queue) {
    client.send(frame()
        .setSend(
            Send.newBuilder().setId(7).setQueue(queue).setMessage(Message.getDefaultInstance())));
    return client.done().getError();
  }

  private static Error declared(StubClient client, Queue.Builder queue) {
    client.send(frame().setDeclare(Declare.newBuilder().setId(9).setQueue(queue)));
    return client.done().getError();
  }

  private static Error pulled(StubClient client, Queue.Builder queue) {
    client.send(subscription(1, wire -> wire.setQueue(queue)));
    return client.done().getError();
  }

  @Test
  void pingsWithoutReadingEndTheStream() {
    try (StubClient client = StubClient.deaf(server)) {
      ClientFrame.Builder[] pings = new ClientFrame.Builder[5_000];
      for (int i = 0; i < pings.length; i++) {
        pings[i] = frame().setPing(Ping.getDefaultInstance());
      }
      for (int i = 0; i < 400 && server.clients() > 0; i++) {
        client.send(pings);
      }
      Eventually.isTrue("disconnected", () -> server.clients() == 0);
    }
  }

  @Test
  void droppedSignalsWithoutReadingEndTheStream() {
    try (StubClient client = StubClient.deaf(server)) {
      for (int i = 0; i < 20_000 && server.clients() > 0; i++) {
        client.send(
            frame().setSignal(Signal.newBuilder().setSignal("no name " + "x".repeat(300) + i)));
      }
      Eventually.isTrue("disconnected", () -> server.clients() == 0);
    }
  }

  @Test
  void creditIsBoundedHoweverOftenItIsSent() {
    for (int credit : new int[] {Integer.MAX_VALUE, Integer.MIN_VALUE, -1, 0}) {
      try (StubClient client = StubClient.connect(server)) {
        client.pull(1, "jobs", 1);
        Credit more = Credit.newBuilder().setSubscription(1).setMessages(credit).build();
        client.send(frame().setCredit(more), frame().setCredit(more), frame().setCredit(more));
        assertThat(client.status().getDescription())
            .startsWith("credit: " + credit + " more for subscription 1, which has 1 (expected: 1");
      }
    }
  }

  @Test
  void secondHelloEndsTheStream() {
    ended(StubClient.hello(1), "frame: HELLO (expected: once)");
  }

  @Test
  void nameWithNewLinesIsRefused() {
    ClientFrame.Builder hello = StubClient.hello(1);
    hello.getHelloBuilder().setClient("good\nERROR all is lost");
    try (StubClient client = StubClient.silent(server)) {
      client.send(hello);
      assertThat(client.status().getDescription())
          .isEqualTo("client: has control characters (expected: none)");
    }
  }

  @Test
  void streamsThatEndHalfAreEnded() {
    try (StubClient silent = StubClient.silent(server);
        StubClient client = StubClient.connect(server)) {
      silent.complete();
      client.pull(1, "jobs", 10);
      client.send(frame()
          .setRequest(Request.newBuilder().setId(7).setSubject("nobody").setTimeout(FOREVER)));
      client.complete();
      assertThat(silent.status().getCode()).isEqualTo(Status.Code.OK);
      assertThat(client.status().getCode()).isEqualTo(Status.Code.OK);
    }
  }

  @Test
  void timesThatNoneCanHoldAreErrors() {
    ClientFrame.Builder hello = StubClient.hello(1);
    hello.getHelloBuilder().setSendTimeout(FOREVER);
    try (StubClient client = StubClient.silent(server)) {
      client.send(hello);
      assertThat(client.status().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }
    try (StubClient client = StubClient.connect(server)) {
      client.send(send(1, Message.newBuilder().setTimeToLive(FOREVER)));
      assertThat(client.done().getError().getKind()).isEqualTo(Error.Kind.KIND_INVALID);
      client.send(
          frame().setRequest(Request.newBuilder().setId(2).setSubject("s").setTimeout(FOREVER)));
      assertThat(client.done().getError().getKind()).isEqualTo(Error.Kind.KIND_INVALID);
      refused(client, queue -> queue.setHandlerTimeout(FOREVER));
      refused(client, queue -> queue.setDeadLetterAge(FOREVER));
      refused(client, queue -> queue.setRedelivery(redelivery().setDelay(FOREVER)));
      refused(client, queue -> queue.setRedelivery(redelivery().setMaxDelay(FOREVER)));
      refused(client, queue -> queue.setRedelivery(redelivery().setMultiplier(Double.NaN)));
      refused(client, queue -> queue.setRedelivery(redelivery().setMaxDeliveries(-1)));
      refused(client, queue -> queue.setCapacity(Long.MIN_VALUE));
      refused(client, queue -> queue.setCapacityBytes(-1));
      refused(client, queue -> queue.setMaxDeadLetters(-1));
      refused(client, queue -> queue.setName("x".repeat(1_000_000)));
      refused(client, queue -> queue.setTopic("#.#"));
    }
    try (StubClient client = StubClient.connect(server)) {
      client.pull(1, "jobs", 1);
      good.push(JOBS, "one");
      long id = client.delivery().getDelivery();
      client.send(frame().setExtend(Extend.newBuilder().setId(9).setDelivery(id).setTime(FOREVER)));
      assertThat(client.status().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }
  }

  private static Redelivery.Builder redelivery() {
    return Redelivery.newBuilder().setMaxDeliveries(2);
  }

  private static void refused(StubClient client, Consumer<Queue.Builder> settings) {
    Queue.Builder queue = Queue.newBuilder().setName("bad");
    settings.accept(queue);
    client.send(frame().setDeclare(Declare.newBuilder().setId(3).setQueue(queue)));
    Error error = client.done().getError();
    assertThat(error.getKind()).as(error.getText()).isEqualTo(Error.Kind.KIND_INVALID);
    assertThat(error.getText().length()).isLessThanOrEqualTo(4_096);
  }

  /** It went to each worker in turn, and ended the stream of each. */
  @Test
  void messageThatOthersCouldNotReceiveIsRefused() {
    String large = "x".repeat(3 << 20);
    List<Message.Builder> all = List.of(
        Message.newBuilder().setId(large),
        Message.newBuilder().setKey(large),
        Message.newBuilder().setContentType(large),
        Message.newBuilder().setCorrelationId(large));
    try (StubClient client = StubClient.connect(server)) {
      for (Message.Builder each : all) {
        client.send(send(1, each));
        Error error = client.done().getError();
        assertThat(error.getKind()).isEqualTo(Error.Kind.KIND_MESSAGE_TOO_LARGE);
        assertThat(error.getText())
            .isEqualTo("message of 3145728 bytes of id, key, content type and correlation id"
                + " (expected: <= 65536)");
      }
    }
  }

  @Test
  void replyThatCallersCouldNotReceiveIsAnError() throws Exception {
    try (StubClient replier = StubClient.connect(server);
        StubClient caller = StubClient.connect(server)) {
      replier.subscribe(1, wire -> wire.setSubject("s").setCredit(10));
      replier.expect(FrameCase.READY);
      List<Consumer<Settle.Builder>> answers = List.of(
          settle -> settle.setFailed("x".repeat(3 << 20)),
          settle -> settle.setUndecodable("x".repeat(3 << 20)),
          settle -> settle.setReply(Message.newBuilder().setId("x".repeat(3 << 20))),
          settle -> settle.setReply(
              Message.newBuilder().setPayload(ByteString.copyFrom(new byte[3 << 20]))));
      for (Consumer<Settle.Builder> answer : answers) {
        caller.send(frame()
            .setRequest(Request.newBuilder()
                .setId(1)
                .setSubject("s")
                .setTimeout(Duration.newBuilder().setSeconds(20))));
        replier.settle(replier.delivery().getDelivery(), answer);
        String text = caller.expect(FrameCase.REPLY).getReply().getError().getText();
        assertThat(text.length()).isBetween(1, 4_096);
      }
    }
  }
}
