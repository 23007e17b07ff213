package dev.mullion.messaging.grpc;

import static dev.mullion.messaging.grpc.StubClient.frame;
import static dev.mullion.messaging.grpc.StubClient.subscription;
import static dev.mullion.messaging.grpc.StubClient.text;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.grpc.ScriptedEngine.Delivery;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Declare;
import dev.mullion.messaging.grpc.v1.Deliver;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Extend;
import dev.mullion.messaging.grpc.v1.Message;
import dev.mullion.messaging.grpc.v1.Queue;
import dev.mullion.messaging.grpc.v1.Redelivery;
import dev.mullion.messaging.grpc.v1.Request;
import dev.mullion.messaging.grpc.v1.Send;
import dev.mullion.messaging.grpc.v1.ServerFrame.FrameCase;
import dev.mullion.messaging.grpc.v1.Settlement;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MessagingServerTest {
  private final ScriptedEngine engine = new ScriptedEngine();
  private @Nullable MessagingServer server;

  private MessagingServer server() {
    return requireNonNull(server);
  }

  private MessagingServer start(UnaryOperator<MessagingServer.Builder> settings) throws Exception {
    MessagingServer started = settings.apply(MessagingServer.builder(engine)).start();
    server = started;
    return started;
  }

  private StubClient connect() throws Exception {
    return StubClient.connect(server == null ? start(builder -> builder) : server);
  }

  @AfterEach
  void stop() {
    if (server != null) {
      server.stop(Duration.ofSeconds(2));
    }
  }

  private static ClientFrame.Builder publish(long id, String topic, byte[] payload) {
    return frame()
        .setSend(Send.newBuilder()
            .setId(id)
            .setTopic(topic)
            .setMessage(Message.newBuilder().setPayload(ByteString.copyFrom(payload))));
  }

  private static ClientFrame.Builder declare(long id, Queue.Builder queue) {
    return frame().setDeclare(Declare.newBuilder().setId(id).setQueue(queue));
  }

  private static Queue.Builder queue(String name) {
    return Queue.newBuilder().setName(name);
  }

  @Test
  void firstFrameMustBeHello() throws Exception {
    start(builder -> builder);
    try (StubClient client = StubClient.silent(server())) {
      client.send(publish(1, "prices", new byte[1]));
      assertThat(client.status().getDescription()).isEqualTo("frame: SEND (expected: HELLO first)");
    }
  }

  @Test
  void otherVersionIsRejected() throws Exception {
    start(builder -> builder);
    try (StubClient client = StubClient.silent(server())) {
      client.send(StubClient.hello(2));
      Status status = client.status();
      assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
      assertThat(status.getDescription()).isEqualTo("version: 2 (expected: 1)");
    }
  }

  @Test
  void acknowledgedDeliveryIsAcknowledgedInTheEngine() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      Delivery job = engine.deliver("jobs", "one");
      Deliver delivered = client.delivery();
      assertThat(text(delivered)).isEqualTo("one");
      assertThat(delivered.getAddress()).isEqualTo("jobs");
      client.acknowledge(delivered.getDelivery());
      assertThat(job.outcome()).isEqualTo(new Outcome.Acknowledge());
      assertThat(client.settlement()).isEqualTo(Settlement.SETTLEMENT_APPLIED);
    }
  }

  @Test
  void failureIsDelayedByTheServerAndBuriedAfterTheLast() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      Delivery second = engine.deliver("jobs", "x", 1, 0);
      Deliver delivered = client.delivery();
      assertThat(delivered.getLast()).isFalse();
      client.settle(delivered.getDelivery(), settle -> settle.setFailed("boom"));
      assertThat(second.outcome()).isEqualTo(new Outcome.Redeliver(Duration.ofSeconds(2), "boom"));

      Delivery fifth = engine.deliver("jobs", "x", 4, 0);
      delivered = client.delivery();
      assertThat(delivered.getLast()).isTrue();
      client.settle(delivered.getDelivery(), settle -> settle.setFailed("boom"));
      assertThat(fifth.outcome())
          .isEqualTo(new Outcome.Bury(DeadLetter.Reason.DELIVERY_LIMIT, "boom"));
    }
  }

  @Test
  void rejectedAndUndecodableAreBuriedAtOnce() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      Delivery rejected = engine.deliver("jobs", "x");
      client.settle(client.delivery().getDelivery(), settle -> settle.setRejected("never"));
      assertThat(rejected.outcome())
          .isEqualTo(new Outcome.Bury(DeadLetter.Reason.REJECTED, "never"));
      Delivery undecodable = engine.deliver("jobs", "x");
      client.settle(client.delivery().getDelivery(), settle -> settle.setUndecodable("what"));
      assertThat(undecodable.outcome())
          .isEqualTo(new Outcome.Bury(DeadLetter.Reason.UNDECODABLE, "what"));
    }
  }

  @Test
  void messageAboveTheLimitOfDeliveriesIsBuriedUnseen() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 1);
      Delivery lost = engine.deliver("jobs", "x", 2, 3);
      assertThat(lost.outcome()).isInstanceOf(Outcome.Bury.class);
      Delivery next = engine.deliver("jobs", "next");
      assertThat(text(client.delivery())).isEqualTo("next");
      assertThat(next.outcome).isNotDone();
    }
  }

  @Test
  void handlerTimeoutOfClientThatDoesNotAnnounceStartsAtDelivery() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(
          3,
          wire -> wire.setCredit(1)
              .setQueue(queue("jobs").setHandlerTimeout(WireMessages.of(Duration.ofMillis(80)))));
      Delivery slow = engine.deliver("jobs", "x");
      Deliver delivered = client.delivery();
      assertThat(slow.outcome())
          .isEqualTo(new Outcome.Redeliver(
              Duration.ofSeconds(1), "not settled within handlerTimeout PT0.08S"));
      client.acknowledge(delivered.getDelivery());
      assertThat(client.settlement()).isEqualTo(Settlement.SETTLEMENT_LEASE_LOST);
    }
  }

  @Test
  void extendMovesTheTime() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(
          3,
          wire -> wire.setCredit(1)
              .setQueue(queue("jobs").setHandlerTimeout(WireMessages.of(Duration.ofMillis(150)))));
      Delivery slow = engine.deliver("jobs", "x");
      Deliver delivered = client.delivery();
      client.send(frame()
          .setExtend(Extend.newBuilder()
              .setId(9)
              .setDelivery(delivered.getDelivery())
              .setTime(WireMessages.of(Duration.ofSeconds(100)))));
      assertThat(client.done().hasError()).isFalse();
      assertThat(slow.extended).containsExactly(Duration.ofSeconds(100));
      // The time of another delivery still ends.
      client.credit(3, 1);
      assertThat(engine.deliver("jobs", "y").outcome()).isInstanceOf(Outcome.Redeliver.class);
      assertThat(slow.outcome).isNotDone();
    }
  }

  @Test
  void secondOutcomeHasNoEffect() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      Delivery job = engine.deliver("jobs", "one");
      long id = client.delivery().getDelivery();
      client.settle(id, settle -> settle.setFailed("first"));
      client.acknowledge(id);
      assertThat(client.settlement()).isEqualTo(Settlement.SETTLEMENT_APPLIED);
      assertThat(client.settlement()).isEqualTo(Settlement.SETTLEMENT_LEASE_LOST);
      assertThat(job.outcome()).isInstanceOf(Outcome.Redeliver.class);
    }
  }

  @Test
  void unknownDeliveryEndsTheStream() throws Exception {
    try (StubClient client = connect()) {
      client.settle(17, settle -> settle.setFailed("x"));
      assertThat(client.status().getDescription())
          .isEqualTo("delivery: 17 (expected: one that was delivered, 1 to 0)");
    }
  }

  @Test
  void outcomeOfAnotherPatternEndsTheStreamAndGivesBack() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      Delivery job = engine.deliver("jobs", "one");
      long id = client.delivery().getDelivery();
      Delivery second = engine.deliver("jobs", "two");
      client.delivery();
      client.settle(id, settle -> settle.setReply(Message.getDefaultInstance()));
      assertThat(client.status().getDescription()).startsWith("outcome: REPLY of a delivery from");
      assertThat(second.outcome()).isEqualTo(new Outcome.GiveBack(true));
      assertThat(job.outcome()).isEqualTo(new Outcome.GiveBack(true));
    }
  }

  @Test
  void lostClientGivesBackCountedWhateverItAnnounced() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(
          3, wire -> wire.setQueue(queue("jobs")).setCredit(3).setAnnouncesBegin(true));
      final Delivery first = engine.deliver("jobs", "one");
      final Delivery second = engine.deliver("jobs", "two");
      client.delivery();
      long id = client.delivery().getDelivery();
      client.begin(id);
      client.ping();
      client.cut();
      assertThat(second.outcome()).isEqualTo(new Outcome.GiveBack(true));
      // Its announcement may have been lost with the connection.
      assertThat(first.outcome()).isEqualTo(new Outcome.GiveBack(true));
      Eventually.isTrue("closed", () -> engine.links.get(0).closed);
      Eventually.isTrue("closed", () -> engine.consumer("jobs").closed);
    }
  }

  @Test
  void clientThatLeavesGivesBackUncounted() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(
          3, wire -> wire.setQueue(queue("jobs")).setCredit(3).setAnnouncesBegin(true));
      Delivery first = engine.deliver("jobs", "one");
      client.delivery();
      client.complete();
      assertThat(client.status().getCode()).isEqualTo(Status.Code.OK);
      assertThat(first.outcome()).isEqualTo(new Outcome.GiveBack(false));
    }
  }

  @Test
  void unsubscribeGivesBackNowOrLetsThemBeSettled() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      Delivery first = engine.deliver("jobs", "one");
      long id = client.delivery().getDelivery();
      Delivery second = engine.deliver("jobs", "two");
      client.delivery();
      client.unsubscribe(3, false);
      client.expect(FrameCase.ENDED);
      assertThat(engine.consumer("jobs").cancelled).isTrue();
      client.acknowledge(id);
      assertThat(first.outcome()).isEqualTo(new Outcome.Acknowledge());
      assertThat(second.outcome).isNotDone();
      client.unsubscribe(3, true);
      assertThat(second.outcome()).isEqualTo(new Outcome.GiveBack(false));
    }
  }

  @Test
  void creditIsThatOfTheClientAndBounded() throws Exception {
    start(builder -> builder.maxCredit(10));
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      assertThat(engine.consumer("jobs").asked).hasValue(2);
      client.credit(3, 8);
      Eventually.isTrue("credit", () -> engine.consumer("jobs").asked.get() == 10);
      client.credit(3, 1);
      assertThat(client.status().getDescription())
          .isEqualTo("credit: 1 more for subscription 3, which has 10"
              + " (expected: 1 to 10, the server's maxCredit, in all)");
    }
  }

  @Test
  void creditBesideUnsettledDeliveriesIsParked() throws Exception {
    start(builder -> builder.maxCredit(3));
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 3);
      engine.deliver("jobs", "one");
      engine.deliver("jobs", "two");
      long id = client.delivery().getDelivery();
      client.credit(3, 2);
      client.ping();
      assertThat(engine.consumer("jobs").asked).hasValue(3);
      client.acknowledge(id);
      Eventually.isTrue("credit", () -> engine.consumer("jobs").asked.get() == 4);
    }
  }

  /** A client that reads and never settles held 10,000 messages of any size, by its credit. */
  @Test
  void unsettledDeliveriesAreBoundedInBytes() throws Exception {
    start(builder -> builder.maxUnsettledBytes(1 << 20));
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 10_000);
      ScriptedEngine.Consumer consumer = engine.consumer("jobs");
      List<Delivery> delivered = exhaust(consumer, 50_000);
      // The engine is asked for 256 before any size is known. What has no room goes back,
      // uncounted.
      assertThat(delivered).hasSize(256);
      List<Delivery> kept =
          delivered.stream().filter(each -> !each.outcome.isDone()).toList();
      assertThat(kept).hasSize(15); // three quarters
      assertThat(delivered.get(255).outcome()).isEqualTo(new Outcome.GiveBack(false));

      client.acknowledge(client.delivery().getDelivery());
      client.expect(FrameCase.SETTLED);
      assertThat(exhaust(consumer, 50_000)).singleElement().matches(each -> !each.outcome.isDone());
    }
  }

  @Test
  void subscriptionWithoutDeliveriesIsNotStoppedByBusyOne() throws Exception {
    start(builder -> builder.maxUnsettledBytes(1 << 20));
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 1_000);
      exhaust(engine.consumer("jobs"), 50_000);
      client.subscribe(4, wire -> wire.setSubject("s").setCredit(100));
      engine.request("s", "q");
      assertThat(client.expectFrom(4).getSubscription()).isEqualTo(4);
    }
  }

  @Test
  void messageAboveTheBoundIsDeliveredByItself() throws Exception {
    start(builder -> builder.maxUnsettledBytes(1_000));
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 10);
      client.pull(4, "others", 10);
      engine.deliver(new Delivery("jobs", new byte[5_000], 0, 0));
      Deliver large = client.delivery();
      Delivery refused = new Delivery("others", new byte[5_000], 0, 0);
      engine.deliver(refused);
      assertThat(refused.outcome()).isEqualTo(new Outcome.GiveBack(false));
      ScriptedEngine.Consumer others = engine.consumer("others");
      while (others.take()) {
        others.sink.deliver(new Delivery("others", new byte[5_000], 0, 0));
      }
      // Room that one subscription frees is offered to the others.
      client.acknowledge(large.getDelivery());
      Eventually.isTrue("credit", () -> others.credit.get() > 0);
      engine.deliver(new Delivery("others", new byte[5_000], 0, 0));
      assertThat(client.expectFrom(4).getMessage().getPayload().size()).isEqualTo(5_000);
    }
  }

  /** Delivers messages of a size for all credit that there is. */
  private static List<Delivery> exhaust(ScriptedEngine.Consumer consumer, int bytes) {
    Eventually.isTrue("credit", () -> consumer.credit.get() > 0);
    List<Delivery> all = new ArrayList<>();
    while (consumer.take()) {
      Delivery next = new Delivery(consumer.route.name(), new byte[bytes], 0, 0);
      all.add(next);
      consumer.sink.deliver(next);
    }
    return all;
  }

  @Test
  void deliveriesDoNotPileUpForClientThatDoesNotRead() throws Exception {
    start(builder -> builder);
    try (StubClient client = StubClient.deaf(server())) {
      client.send(subscription(1, wire -> wire.setTopic("prices").setCredit(10_000)));
      ScriptedEngine.Consumer consumer = engine.consumer("prices");
      // As many of the greatest size as there is room for, since their size is not known.
      Eventually.isTrue("credit", () -> consumer.asked.get() == 48);
      // The transport takes a few, and 16 MiB wait; the engine keeps the others.
      int delivered = 0;
      while (consumer.take()) {
        consumer.sink.deliver(new Delivery("prices", new byte[100_000], 0, 0));
        delivered++;
      }
      assertThat(delivered).isBetween(48, 300);
      assertThat(server().clients()).isEqualTo(1);
    }
  }

  /** Each of many topics may have had 256 messages of any size that were not written. */
  @Test
  void liveDeliveriesThatAreNotWrittenAreBoundedInBytes() throws Exception {
    start(builder -> builder.maxUnsettledBytes(4 << 20));
    try (StubClient client = StubClient.deaf(server())) {
      int topics = 50;
      List<Delivery> delivered = new ArrayList<>();
      for (int i = 1; i <= topics; i++) {
        String topic = "t" + i;
        client.send(subscription(i, wire -> wire.setTopic(topic).setCredit(1_000)));
        engine.consumer(topic);
      }
      for (int i = 1; i <= topics; i++) {
        delivered.addAll(exhaust(engine.consumer("t" + i), 1_000_000));
      }
      assertThat(delivered).hasSizeGreaterThanOrEqualTo(topics);
      // The transport takes a few.
      assertThat(delivered.stream().filter(each -> !each.outcome.isDone()))
          .hasSizeLessThanOrEqualTo(4);
      assertThat(delivered.stream().map(each -> each.outcome.getNow(null)))
          .contains(new Outcome.GiveBack(false));
    }
  }

  @Test
  void largeDeliveriesDoNotPileUpEither() throws Exception {
    start(builder -> builder);
    try (StubClient client = StubClient.deaf(server())) {
      client.send(subscription(1, wire -> wire.setTopic("prices").setCredit(40)));
      client.send(subscription(2, wire -> wire.setTopic("news").setCredit(0)));
      for (int i = 0; i < 40; i++) {
        engine.deliver(new Delivery("prices", new byte[1_000_000], 0, 0));
      }
      client.credit(2, 50);
      Eventually.isTrue("a single credit", () -> engine.consumer("news").asked.get() == 1);
    }
  }

  @Test
  void windowThatIsTooLargeIsRefused() throws Exception {
    try (StubClient client = connect()) {
      client.send(subscription(1, wire -> wire.setTopic("prices").setWindow(1_000_000_000)));
      Error error = client.done().getError();
      assertThat(error.getKind()).isEqualTo(Error.Kind.KIND_UNSUPPORTED_SETTING);
      assertThat(error.getText())
          .isEqualTo("window: 1000000000 (expected: 1 to 10000, the server's maxCredit)");
    }
  }

  @Test
  void sendsAboveTheWindowEndTheStream() throws Exception {
    engine.holdSends = true;
    start(builder -> builder.window(2));
    try (StubClient client = connect()) {
      client.send(publish(1, "a", new byte[1]), publish(2, "a", new byte[1]));
      client.send(publish(3, "a", new byte[1]));
      assertThat(client.status().getDescription())
          .isEqualTo("frames without an answer: 3 (expected: <= 2, the window in Welcome)");
      assertThat(engine.sent).hasSize(2);
    }
  }

  @Test
  void bytesAboveTheWindowEndTheStream() throws Exception {
    engine.holdSends = true;
    start(builder -> builder.windowBytes(1000));
    try (StubClient client = connect()) {
      client.send(publish(1, "a", new byte[5000]));
      Eventually.isTrue("sent", () -> engine.sent.size() == 1);
      client.send(publish(2, "a", new byte[1]));
      assertThat(client.status().getDescription())
          .startsWith("bytes of messages without an answer: 50");
    }
  }

  @Test
  void answeredSendsFreeTheWindow() throws Exception {
    start(builder -> builder.window(1));
    try (StubClient client = connect()) {
      for (int i = 1; i <= 20; i++) {
        client.send(publish(i, "a", new byte[1]));
        assertThat(client.done().getId()).isEqualTo(i);
      }
    }
  }

  @Test
  void namedErrorsKeepTheirNames() throws Exception {
    engine.sendError = new QueueFullException("4 waiting (expected: < 4)");
    try (StubClient client = connect()) {
      client.send(publish(1, "a", new byte[1]));
      Error error = client.done().getError();
      assertThat(error.getKind()).isEqualTo(Error.Kind.KIND_QUEUE_FULL);
      assertThat(error.getText()).isEqualTo("4 waiting (expected: < 4)");

      client.send(publish(2, "a.*", new byte[1]), publish(3, "a_b", new byte[1]));
      assertThat(client.done().getError().getKind()).isEqualTo(Error.Kind.KIND_INVALID);
      assertThat(client.done().getError().getText()).startsWith("name: \"a_b\" (expected: ");

      client.send(frame().setSend(Send.newBuilder().setId(4).setQueue("jobs")));
      assertThat(client.done().getError().getKind()).isEqualTo(Error.Kind.KIND_MISSING_ADDRESS);

      client.send(
          declare(5, queue("jobs")),
          declare(6, queue("jobs").setRedelivery(Redelivery.newBuilder().setMaxDeliveries(2))));
      assertThat(client.done().hasError()).isFalse();
      assertThat(client.done().getError().getKind())
          .isEqualTo(Error.Kind.KIND_CONFLICTING_DECLARATION);
    }
  }

  @Test
  void messageAboveTheLimitIsRefusedBothWays() throws Exception {
    start(builder -> builder.maxMessageSize(1000));
    try (StubClient client = connect()) {
      client.send(publish(1, "a", new byte[1001]));
      Error error = client.done().getError();
      assertThat(error.getKind()).isEqualTo(Error.Kind.KIND_MESSAGE_TOO_LARGE);
      assertThat(error.getText())
          .isEqualTo("message of 1001 bytes exceeds maxMessageSize 1000 of the server");
      client.pull(3, "jobs", 1);
      Delivery large = new Delivery("jobs", new byte[1001], 0, 0);
      engine.deliver(large);
      assertThat(large.outcome())
          .isEqualTo(new Outcome.Bury(
              DeadLetter.Reason.REJECTED,
              "message of 1001 bytes exceeds maxMessageSize 1000 of the server"));
      engine.deliver("jobs", "small");
      assertThat(text(client.delivery())).isEqualTo("small");
    }
  }

  @Test
  void permissionsDenyByVerbAndAddress() throws Exception {
    start(builder -> builder.permissions(
        (verb, address, context) -> verb == Permissions.Verb.PUBLISH && address.equals("open")));
    try (StubClient client = connect()) {
      client.send(publish(1, "open", new byte[1]), publish(2, "shut", new byte[1]));
      assertThat(client.done().hasError()).isFalse();
      Error error = client.done().getError();
      assertThat(error.getKind()).isEqualTo(Error.Kind.KIND_PERMISSION_DENIED);
      assertThat(error.getText())
          .isEqualTo("permissions of the server deny PUBLISH of shut"
              + " (expected: allowed by MessagingServer's permissions)");
      // A broker would have created the other one.
      assertThat(engine.prepared).containsExactly("open");
      client.send(subscription(3, wire -> wire.setQueue(queue("jobs"))));
      assertThat(client.done().getError().getText())
          .startsWith("permissions of the server deny PULL of jobs");
      assertThat(engine.consumers).isEmpty();
    }
  }

  /** A push declares its queue first; it was told that PULL is denied. */
  @Test
  void deniedDeclarationNamesBothVerbsThatWouldAllowIt() throws Exception {
    start(
        builder -> builder.permissions((verb, address, context) -> address.equals(verb + "able")));
    try (StubClient client = connect()) {
      for (String queue : List.of("PUSHable", "PULLable")) {
        client.send(declare(1, queue(queue)));
        assertThat(client.done().hasError()).as(queue).isFalse();
      }
      client.send(declare(1, queue("jobs")));
      Error error = client.done().getError();
      assertThat(error.getKind()).isEqualTo(Error.Kind.KIND_PERMISSION_DENIED);
      assertThat(error.getText())
          .isEqualTo("permissions of the server deny PUSH and PULL of jobs"
              + " (expected: allowed by MessagingServer's permissions)");
    }
  }

  /** Who might pull from a group could read any topic by it. */
  @Test
  void groupNeedsThePermissionToReadItsTopic() throws Exception {
    start(builder -> builder.permissions((verb, address, context) ->
        !address.startsWith("prices.secret") && verb != Permissions.Verb.PUSH));
    try (StubClient client = connect()) {
      client.subscribe(1, wire -> wire.setQueue(queue("mine").setTopic("prices.open")));
      client.send(
          declare(2, queue("other").setTopic("prices.secret")),
          frame()
              .setDeclare(Declare.newBuilder()
                  .setId(3)
                  .setQueue(queue("mine").setTopic("prices.secret"))
                  .setReplace(true)),
          subscription(4, wire -> wire.setQueue(queue("other").setTopic("prices.secret"))));
      for (int i = 2; i <= 4; i++) {
        assertThat(client.done().getError().getText())
            .startsWith("permissions of the server deny SUBSCRIBE of prices.secret");
      }
    }
    assertThat(engine.prepared).containsExactly("mine");
  }

  @Test
  void failingPermissionsDeny() throws Exception {
    start(builder -> builder.permissions((verb, address, context) -> {
      throw new IllegalStateException("broken");
    }));
    try (StubClient client = connect()) {
      client.send(publish(1, "open", new byte[1]));
      assertThat(client.done().getError().getKind()).isEqualTo(Error.Kind.KIND_PERMISSION_DENIED);
    }
  }

  @Test
  void clientsAboveTheMaximumAreRejected() throws Exception {
    start(builder -> builder.maxClients(1));
    try (StubClient first = connect();
        StubClient second = StubClient.silent(server())) {
      Status status = second.status();
      assertThat(status.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
      assertThat(status.getDescription())
          .isEqualTo("clients: 1 are connected (expected: fewer than maxClients)");
      first.cut();
      Eventually.isTrue("room", () -> server().clients() == 0);
    }
    try (StubClient third = connect()) {
      assertThat(third.status).isNotDone();
    }
  }

  @Test
  void clientThatDoesNotReadIsDisconnectedAboveTheBacklog() throws Exception {
    start(builder -> builder.maxBacklog(1000));
    try (StubClient client = StubClient.deaf(server())) {
      client.send(frame()
          .setRequest(Request.newBuilder()
              .setId(1)
              .setSubject("s")
              .setTimeout(WireMessages.of(Duration.ofSeconds(20)))));
      Eventually.isTrue("request", () -> engine.links.get(0).requests.size() == 1);
      for (int i = 0; i < 100 && server().clients() > 0; i++) {
        engine
            .links
            .get(0)
            .context
            .events()
            .replied(Reply.of(1, dev.mullion.messaging.Message.of(new byte[200_000])));
      }
      Eventually.isTrue("disconnected", () -> server().clients() == 0);
      Eventually.isTrue("closed", () -> engine.links.get(0).closed);
    }
  }

  @Test
  void requestIsAcceptedAtBeginAndAnsweredOnce() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(3, wire -> wire.setSubject("s").setCredit(2));
      ScriptedEngine.Request request = engine.request("s", "q");
      Deliver delivered = client.delivery();
      assertThat(WireMessages.from(delivered.getTimeLeft())).isEqualTo(Duration.ofSeconds(20));
      assertThat(request.outcome).isNotDone();
      client.begin(delivered.getDelivery());
      assertThat(request.outcome()).isEqualTo(new Outcome.Acknowledge());
      client.settle(
          delivered.getDelivery(),
          settle -> settle.setReply(Message.newBuilder().setPayload(ByteString.copyFromUtf8("r"))));
      Reply reply = Eventually.get("reply", request.reply);
      assertThat(reply.id()).isEqualTo(7);
      assertThat(reply.message().orElseThrow().payload()).asString().isEqualTo("r");
    }
  }

  @Test
  void replyThatTheEngineFindsTooLargeIsAnErrorForItsCaller() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(3, wire -> wire.setSubject("s").setCredit(2));
      ScriptedEngine.Request request = engine.request("s", "q");
      request.replyFailure = new MessageTooLargeException("reply of 9 bytes");
      client.settle(
          client.delivery().getDelivery(),
          settle -> settle.setReply(Message.newBuilder().setPayload(ByteString.copyFromUtf8("r"))));
      Reply reply = Eventually.get("reply", request.reply);
      assertThat(reply.status()).isEqualTo(Reply.Status.FAILED);
      assertThat(reply.error()).isEqualTo("reply of 9 bytes");
    }
  }

  @Test
  void lostReplierIsAnErrorForItsCallers() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(3, wire -> wire.setSubject("s").setCredit(2));
      ScriptedEngine.Request request = engine.request("s", "q");
      client.delivery();
      client.cut();
      Reply reply = Eventually.get("reply", request.reply);
      assertThat(reply.status()).isEqualTo(Reply.Status.LOST);
      assertThat(request.outcome()).isEqualTo(new Outcome.Acknowledge());
    }
  }

  /** The caller was told the server's own note of it: "Redeliver[delay=PT0S, error=the ...". */
  @Test
  void requestThatCannotBeDeliveredIsAnErrorForItsCaller() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(3, wire -> wire.setSubject("s").setCredit(2));
      ScriptedEngine.Request request = new ScriptedEngine.Request("s", "q");
      request.timeLeft = () -> {
        throw new IllegalStateException("broken");
      };
      engine.deliver(request);
      Reply reply = Eventually.get("reply", request.reply);
      assertThat(reply.status()).isEqualTo(Reply.Status.FAILED);
      assertThat(reply.error())
          .isEqualTo("the server cannot deliver it: java.lang.IllegalStateException: broken");
    }
  }

  @Test
  void replierThatGivesBackUnbegunPassesTheRequestOn() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(3, wire -> wire.setSubject("s").setCredit(2));
      ScriptedEngine.Request request = engine.request("s", "q");
      client.settle(
          client.delivery().getDelivery(),
          settle ->
              settle.setGivenBack(dev.mullion.messaging.grpc.v1.GivenBack.getDefaultInstance()));
      assertThat(request.outcome()).isEqualTo(new Outcome.GiveBack(false));
    }
  }

  /** One outcome that the engine did not take left all others of a lost client where they were. */
  @Test
  void engineThatThrowsLeavesNothingBehind() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(
          3,
          wire -> wire.setCredit(5)
              .setQueue(queue("jobs").setHandlerTimeout(WireMessages.of(Duration.ofMillis(300)))));
      engine.deliver(throwing("jobs"));
      long first = client.delivery().getDelivery();
      client.settle(first, settle -> settle.setFailed("boom"));
      assertThat(client.settlement()).isEqualTo(Settlement.SETTLEMENT_UNKNOWN);

      engine.deliver(throwing("jobs")); // its time ends first
      Delivery late = engine.deliver("jobs", "late");
      assertThat(late.outcome()).isInstanceOf(Outcome.Redeliver.class);

      client.pull(4, "others", 5); // their time does not end meanwhile
      engine.deliver(throwing("others"));
      Delivery given = engine.deliver("others", "given back");
      client.expectFrom(4); // the one that throws
      client.expectFrom(4);
      client.cut();
      assertThat(given.outcome()).isEqualTo(new Outcome.GiveBack(true));
      Eventually.isTrue("closed", () -> engine.links.get(0).closed);
      Eventually.isTrue("no client", () -> server().clients() == 0);
    }
  }

  private static Delivery throwing(String queue) {
    return new Delivery(queue, "throwing", 0, 0) {
      @Override
      public CompletionStage<dev.mullion.messaging.engine.Settlement> settle(Outcome outcome) {
        throw new StackOverflowError("thrown on purpose");
      }
    };
  }

  @Test
  void creditThatTheEngineDidNotTakeIsOfferedAgain() throws Exception {
    engine.failingRequests.set(2);
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 2);
      engine.deliver("jobs", "one");
      assertThat(text(client.delivery())).isEqualTo("one");
    }
  }

  @Test
  void suspectIsDeliveredAlone() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 4);
      engine.deliver("jobs", "one");
      long one = client.delivery().getDelivery();
      engine.deliver("jobs", "suspect", 0, 1);
      engine.deliver("jobs", "three");
      client.ping();
      assertThat(client.has(FrameCase.DELIVER)).isFalse();
      client.acknowledge(one);
      Deliver suspect = client.delivery();
      assertThat(text(suspect)).isEqualTo("suspect");
      client.ping();
      assertThat(client.has(FrameCase.DELIVER)).isFalse();
      client.acknowledge(suspect.getDelivery());
      assertThat(text(client.delivery())).isEqualTo("three");
    }
  }

  @Test
  void queueThatDeliversOnceIsDeliveredOneAtATime() throws Exception {
    try (StubClient client = connect()) {
      client.subscribe(
          3,
          wire -> wire.setCredit(2)
              .setQueue(queue("jobs").setRedelivery(Redelivery.newBuilder().setMaxDeliveries(1))));
      final Delivery first = engine.deliver("jobs", "one");
      final Delivery second = engine.deliver("jobs", "two");
      assertThat(client.delivery().getLast()).isTrue();
      client.cut();
      assertThat(first.outcome()).isEqualTo(new Outcome.GiveBack(true));
      assertThat(second.outcome()).isEqualTo(new Outcome.GiveBack(false));
    }
  }

  @Test
  void subscriptionsTakeTurns() throws Exception {
    try (StubClient client = StubClient.connect(start(builder -> builder))) {
      client.pull(1, "many", 1000);
      client.pull(2, "few", 1000);
      for (int i = 0; i < 500; i++) {
        engine.deliver("many", "m" + i);
      }
      engine.deliver("few", "f");
      int before = 0;
      while (client.delivery().getSubscription() == 1) {
        before++;
      }
      assertThat(before).isLessThanOrEqualTo(500);
    }
  }

  @Test
  void stopLetsClientsSettleAndReports() throws Exception {
    try (StubClient client = connect()) {
      client.pull(3, "jobs", 3);
      final Delivery first = engine.deliver("jobs", "one");
      final Delivery second = engine.deliver("jobs", "two");
      long one = client.delivery().getDelivery();
      client.delivery();
      MessagingServer stopping = server();
      var report = CompletableFuture.supplyAsync(() -> stopping.stop(Duration.ofSeconds(1)));
      client.expect(FrameCase.STOPPING);
      client.acknowledge(one);
      assertThat(first.outcome()).isEqualTo(new Outcome.Acknowledge());
      client.send(publish(9, "a", new byte[1]));
      assertThat(client.done().getError().getKind()).isEqualTo(Error.Kind.KIND_STOPPING);
      assertThat(client.status().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
      // Its worker has not died.
      assertThat(second.outcome()).isEqualTo(new Outcome.GiveBack(false));
      var stopped = Eventually.get("report", report);
      assertThat(stopped.finished()).isEqualTo(1);
      assertThat(stopped.interrupted()).isEqualTo(1);
      assertThat(stopped.took()).isLessThan(Duration.ofSeconds(8));
    }
  }
}
