package dev.mullion.messaging.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.LoginRefusedException;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import dev.mullion.messaging.testing.Relay;
import dev.mullion.rpc.RpcChannel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GrpcEngineTest {
  private static final ConsumerSettings SETTINGS =
      new ConsumerSettings(1, 4, 100, Overflow.DROP_OLDEST);
  private static final Route.Topic TOPIC = new Route.Topic("t");
  private static final Route.Subject SUBJECT = new Route.Subject("s");

  private final ScriptedEngine engine = new ScriptedEngine();
  private final ExecutorService callbacks = Executors.newCachedThreadPool();
  private final List<AutoCloseable> closing = new ArrayList<>();
  private final Events events = new Events();
  private int port;
  private @Nullable MessagingServer server;

  private MessagingServer server() {
    return requireNonNull(server);
  }

  private MessagingServer start(UnaryOperator<MessagingServer.Builder> settings) throws Exception {
    MessagingServer started =
        settings.apply(MessagingServer.builder(engine).port(port)).start();
    server = started;
    port = started.port();
    return started;
  }

  private void restart() throws Exception {
    server().stop(Duration.ofMillis(300));
    start(builder -> builder);
  }

  private GrpcEngine.Builder client() throws Exception {
    if (server == null) {
      start(builder -> builder);
    }
    return client(port);
  }

  private GrpcEngine.Builder client(int port) throws IOException {
    RpcChannel channel = RpcChannel.builder().address("127.0.0.1", port).build();
    closing.add(channel);
    return GrpcEngine.builder(channel).maxBackoff(Duration.ofMillis(200));
  }

  /** Returns a client whose connections a test can cut or hold. */
  private GrpcEngine.Builder client(Relay relay) throws Exception {
    start(builder -> builder);
    relay.to(port);
    return client(relay.port());
  }

  private EngineLink open() throws Exception {
    return open(client());
  }

  private EngineLink open(GrpcEngine.Builder client) throws Exception {
    return open(client, Duration.ofMillis(500));
  }

  private EngineLink open(GrpcEngine.Builder client, Duration sendTimeout) throws Exception {
    EngineLink link = client.build().open(new EngineContext(events, callbacks, 100, sendTimeout));
    closing.add(0, link);
    return link;
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : closing) {
      each.close();
    }
    if (server != null) {
      server.stop(Duration.ofSeconds(1));
    }
    callbacks.shutdownNow();
  }

  private static Route.Queue queue(String name) {
    return queue(name, 5);
  }

  private static Route.Queue queue(String name, int maxDeliveries) {
    return new Route.Queue(
        name,
        Optional.empty(),
        Redelivery.constant(maxDeliveries, Duration.ofNanos(1_500)),
        Duration.ofSeconds(30),
        false,
        0,
        0,
        Overflow.BLOCK,
        100,
        Duration.ofDays(14));
  }

  private static Message<byte[]> message(String text) {
    return Message.of(text.getBytes(UTF_8));
  }

  private static final class Events implements EngineEvents {
    final BlockingQueue<Reply> replies = new LinkedBlockingQueue<>();
    final BlockingQueue<Throwable> lost = new LinkedBlockingQueue<>();
    final BlockingQueue<Duration> restored = new LinkedBlockingQueue<>();

    @Override
    public void replied(Reply reply) {
      replies.add(reply);
    }

    @Override
    public void connectionLost(String where, Throwable cause) {
      lost.add(cause);
    }

    @Override
    public void connectionRestored(String where, Duration outage) {
      restored.add(outage);
    }
  }

  private static final class Received implements Sink {
    final BlockingQueue<RawDelivery> deliveries = new LinkedBlockingQueue<>();
    final BlockingQueue<Long> dropped = new LinkedBlockingQueue<>();
    final BlockingQueue<MessagingException> failures = new LinkedBlockingQueue<>();

    @Override
    public void deliver(RawDelivery delivery) {
      deliveries.add(delivery);
    }

    @Override
    public void dropped(long messages) {
      dropped.add(messages);
    }

    @Override
    public void failed(MessagingException cause) {
      failures.add(cause);
    }

    RawDelivery next() {
      return take("a delivery", deliveries);
    }
  }

  private static <T> T take(String what, BlockingQueue<T> queue) {
    try {
      T taken = queue.poll(10, TimeUnit.SECONDS);
      if (taken == null) {
        throw new AssertionError("no " + what);
      }
      return taken;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static String text(RawDelivery delivery) {
    return new String(delivery.message().payload(), UTF_8);
  }

  private static Settlement settle(RawDelivery delivery, Outcome outcome) {
    return Eventually.get("settlement", delivery.settle(outcome));
  }

  private static BrokerAwayException away(String what, CompletionStage<?> stage) {
    Throwable failure = Eventually.failure(what, stage);
    assertThat(failure).isInstanceOf(BrokerAwayException.class);
    return (BrokerAwayException) failure;
  }

  @Test
  void messageArrivesAsItWasSent() throws Exception {
    EngineLink link = open();
    Message<byte[]> sent = message("m")
        .withId("id")
        .withKey("k")
        .withContentType("text/plain")
        .withCorrelationId("c")
        .withHeader("z", "1")
        .withHeader("ä", "")
        .withTimeToLive(Duration.ofNanos(1_500_000_001));
    Eventually.get("sent", link.send(new Route.Topic("prices"), sent));
    Message<byte[]> seen = engine.sent.get(0);
    assertThat(seen).usingRecursiveComparison().ignoringFields("count").isEqualTo(sent);
    assertThat(seen.headers().keySet()).containsExactly("z", "ä");
  }

  @Test
  void declarationArrivesAsItIsAndConflictsAreNamed() throws Exception {
    EngineLink link = open();
    link.prepare(queue("jobs"), Declaration.CHECK);
    assertThat(engine.declared.get("jobs")).isEqualTo(queue("jobs"));
    assertThatThrownBy(() -> link.prepare(queue("jobs", 6), Declaration.CHECK))
        .isInstanceOf(ConflictingDeclarationException.class)
        .hasMessageContaining("maxDeliveries=5")
        .hasMessageContaining("maxDeliveries=6");
    link.prepare(queue("jobs", 6), Declaration.REPLACE);
    assertThat(engine.declared.get("jobs")).isEqualTo(queue("jobs", 6));
  }

  /** Later sends found a queue that had never been declared. */
  @Test
  void sendDeclaresAgainAfterFailedDeclaration() throws Exception {
    EngineLink link = open();
    engine.declared.put("jobs", queue("jobs", 7));
    assertThat(Eventually.failure("first", link.send(queue("jobs"), message("a"))))
        .isInstanceOf(ConflictingDeclarationException.class);
    assertThat(Eventually.failure("second", link.send(queue("jobs"), message("b"))))
        .isInstanceOf(ConflictingDeclarationException.class);
    engine.declared.clear();
    Eventually.get("third", link.send(queue("jobs"), message("c")));
    assertThat(engine.sent).hasSize(1);
  }

  /** What others deleted or replaced was noticed by the next connection only. */
  @Test
  void declarationIsCheckedEachTime() throws Exception {
    EngineLink link = open();
    link.prepare(queue("jobs"), Declaration.CHECK);
    engine.declared.clear();
    link.prepare(queue("jobs"), Declaration.CHECK);
    assertThat(engine.declared).containsKey("jobs");
    engine.declared.put("jobs", queue("jobs", 7));
    assertThatThrownBy(() -> link.prepare(queue("jobs"), Declaration.CHECK))
        .isInstanceOf(ConflictingDeclarationException.class);
  }

  @Test
  void queueThatIsMissingIsDeclaredByTheNextSend() throws Exception {
    EngineLink link = open();
    link.prepare(queue("jobs"), Declaration.CHECK);
    engine.declared.clear();
    engine.sendError = new MissingAddressException("deleted");
    assertThat(Eventually.failure("first", link.send(queue("jobs"), message("a"))))
        .isInstanceOf(MissingAddressException.class);
    engine.sendError = null;
    Eventually.get("second", link.send(queue("jobs"), message("b")));
    assertThat(engine.declared).containsKey("jobs");
  }

  /** The first waited for its declaration, and the others passed it. */
  @Test
  void sendsThatDeclareKeepTheirOrder() throws Exception {
    EngineLink link = open();
    List<CompletionStage<Void>> sent = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      sent.add(link.send(queue("jobs"), message("%02d".formatted(i))));
    }
    for (CompletionStage<Void> each : sent) {
      Eventually.get("sent", each);
    }
    assertThat(engine.sent)
        .extracting(each -> new String(each.payload(), UTF_8))
        .isSorted();
  }

  /** Each further request made both sides look at all open ones. */
  @Test
  void requestsAreNoSlowerWhileManyAreOpen() throws Exception {
    EngineLink link = open(client(), Duration.ofSeconds(30));
    request(link, 0, 2_000); // warm
    long few = request(link, 2_000, 8_000);
    request(link, 10_000, 2_000);
    long many = request(link, 12_000, 8_000); // refused: 10,000 are open
    assertThat(many).isLessThan(7 * few);
  }

  /** Sends requests, at most 500 at a time; returns how long it takes. */
  private static long request(EngineLink link, int first, int count) {
    long begin = System.nanoTime();
    List<CompletableFuture<?>> sent = new ArrayList<>();
    for (int i = first; i < first + count; i++) {
      sent.add(link.request(SUBJECT, i, message("q"), Duration.ofMinutes(5)).toCompletableFuture());
      if (i % 500 == 499) {
        sent.forEach(each -> Eventually.get("answer", each.handle((done, error) -> "answer")));
        sent.clear();
      }
    }
    return System.nanoTime() - begin;
  }

  @Test
  void outcomesAreAppliedByTheServer() throws Exception {
    EngineLink link = open();
    Received received = new Received();
    Source source = link.consume(queue("jobs"), SETTINGS, received);
    Eventually.get("ready", source.ready());
    source.request(4);
    final var one = engine.deliver("jobs", "one");
    RawDelivery delivered = received.next();
    assertThat(text(delivered)).isEqualTo("one");
    delivered.begin();
    assertThat(settle(delivered, new Outcome.Acknowledge())).isEqualTo(Settlement.APPLIED);
    assertThat(one.outcome()).isEqualTo(new Outcome.Acknowledge());
    final var two = engine.deliver("jobs", "two", 2, 1);
    delivered = received.next();
    assertThat(delivered.failures()).isEqualTo(2);
    assertThat(delivered.losses()).isEqualTo(1);
    settle(delivered, new Outcome.Redeliver(Duration.ofSeconds(5), "boom"));
    assertThat(two.outcome()).isEqualTo(new Outcome.Redeliver(Duration.ofNanos(1_500), "boom"));
    final var three = engine.deliver("jobs", "three");
    settle(received.next(), new Outcome.GiveBack(false));
    assertThat(three.outcome()).isEqualTo(new Outcome.GiveBack(false));
    final var four = engine.deliver("jobs", "four");
    delivered = received.next();
    Eventually.get("extended", delivered.extend(Duration.ofSeconds(9)));
    assertThat(four.extended).containsExactly(Duration.ofSeconds(9));
    source.close();
    Eventually.isTrue("closed", () -> engine.consumer("jobs").closed);
    assertThat(four.outcome()).isInstanceOf(Outcome.GiveBack.class);
    assertThat(settle(delivered, new Outcome.Acknowledge())).isEqualTo(Settlement.LEASE_LOST);
  }

  @Test
  void topicsHaveNoOutcomeAndDropsAreTold() throws Exception {
    EngineLink link = open();
    Received received = new Received();
    Source source = link.consume(new Route.Topic("prices.#"), SETTINGS, received);
    source.request(1);
    engine.consumer("prices.#").sink.dropped(7);
    assertThat(take("drop", received.dropped)).isEqualTo(7);
    var one = engine.deliver("prices.#", "one");
    assertThat(settle(received.next(), new Outcome.Acknowledge())).isEqualTo(Settlement.APPLIED);
    assertThat(one.outcome()).isEqualTo(new Outcome.Acknowledge());
  }

  @Test
  void requestIsRepliedAndLateReplyArrives() throws Exception {
    EngineLink link = open();
    Eventually.get("sent", link.request(SUBJECT, 5, message("q"), Duration.ofSeconds(5)));
    assertThat(engine.links.get(0).requests).hasSize(1);
    long id = engine.links.get(0).requests.get(0);
    engine.links.get(0).context.events().replied(Reply.of(id, message("r")));
    Reply reply = take("reply", events.replies);
    assertThat(reply.id()).isEqualTo(5);
    engine.links.get(0).context.events().replied(Reply.error(id, Reply.Status.UNDECODABLE, "what"));
    Reply late = take("reply", events.replies);
    assertThat(late.status()).isEqualTo(Reply.Status.UNDECODABLE);
    assertThat(late.error()).isEqualTo("what");
  }

  @Test
  void cancelledRequestIsWithdrawn() throws Exception {
    EngineLink link = open();
    Eventually.get("sent", link.request(SUBJECT, 5, message("q"), Duration.ofSeconds(5)));
    link.cancelRequest(SUBJECT, 5);
    Eventually.isTrue("withdrawn", () -> engine.links.get(0).requests.isEmpty());
  }

  @Test
  void replierAcceptsWithoutWaiting() throws Exception {
    EngineLink link = open();
    Received received = new Received();
    link.consume(SUBJECT, SETTINGS, received).request(2);
    var request = engine.request("s", "q");
    RawDelivery.Request asked = (RawDelivery.Request) received.next();
    assertThat(asked.timeLeft()).isBetween(Duration.ofSeconds(15), Duration.ofSeconds(20));
    assertThat(settle(asked, new Outcome.Acknowledge())).isEqualTo(Settlement.APPLIED);
    Eventually.get("replied", asked.reply(Reply.of(asked.id(), message("r"))));
    Reply reply = Eventually.get("reply", request.reply);
    assertThat(reply.id()).isEqualTo(7);
    assertThat(reply.message().orElseThrow().payload()).asString().isEqualTo("r");
  }

  @Test
  void restartedServerHasAllDeclarationsAndSubscriptionsAgain() throws Exception {
    EngineLink link = open();
    List<Received> all = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      Received received = new Received();
      all.add(received);
      link.consume(queue("jobs-" + i), SETTINGS, received).request(2);
    }
    Route.Queue sending = queue("sending");
    link.prepare(sending, Declaration.CHECK);
    engine.deliver("jobs-7", "before");
    RawDelivery before = all.get(7).next();
    engine.consumers.clear();
    engine.declared.clear();

    restart();
    assertThat(take("lost", events.lost)).isInstanceOf(BrokerAwayException.class);
    Eventually.get("sent", link.send(sending, message("after")));
    take("restored", events.restored);
    assertThat(link.health().up()).isTrue();
    assertThat(settle(before, new Outcome.Acknowledge())).isEqualTo(Settlement.LEASE_LOST);
    assertThat(engine.declared).containsKey("sending");
    for (int i = 0; i < 30; i++) {
      // One of the two that were asked for came before.
      assertThat(engine.consumer("jobs-" + i).credit).hasValue(i == 7 ? 1 : 2);
      engine.deliver("jobs-" + i, "again " + i);
      assertThat(text(all.get(i).next())).isEqualTo("again " + i);
    }
  }

  @Test
  void sendsOnTheirWayMayHaveBeenAcceptedAndWaitingOnesGoOut() throws Exception {
    engine.holdSends = true;
    start(builder -> builder.window(2));
    EngineLink link = open();
    final var first = link.send(TOPIC, message("1"));
    final var second = link.send(TOPIC, message("2"));
    final var third = link.send(TOPIC, message("3"));
    Eventually.isTrue("two sent", () -> engine.sent.size() == 2);
    engine.holdSends = false;
    server().stop(Duration.ZERO);
    assertThat(away("first", first).maybeAccepted()).isTrue();
    assertThat(away("second", second).maybeAccepted()).isTrue();
    start(builder -> builder);
    Eventually.get("third", third);
    assertThat(engine.sent).hasSize(3);
  }

  @Test
  void sendsFailWhenTheServerIsAway() throws Exception {
    EngineLink link = open(client().awayTimeout(Duration.ofMillis(700)));
    server().stop(Duration.ZERO);
    take("lost", events.lost);
    BrokerAwayException waited = away("send", link.send(TOPIC, message("1")));
    assertThat(waited.maybeAccepted()).isFalse();
    assertThat(waited).hasMessageContaining("is away for").hasMessageContaining("UNAVAILABLE");
    assertThat(link.trySend(new Route.Signal("s"), message("1"))).isFalse();
    assertThat(link.health().up()).isFalse();
    assertThat(link.health().detail()).contains("127.0.0.1:" + port);
    Eventually.isTrue("fails at once", () -> {
      var sent = link.send(TOPIC, message("2")).toCompletableFuture();
      return sent.isCompletedExceptionally();
    });
    start(builder -> builder);
    take("restored", events.restored);
    Eventually.get("sent", link.send(TOPIC, message("3")));
  }

  /** They were added and multiplied as nanoseconds, which have no room for them. */
  @Test
  void longestTimesSetNoLimit() throws Exception {
    Duration forever = Duration.ofSeconds(Long.MAX_VALUE);
    GrpcEngine.Builder client = client()
        .connectTimeout(forever)
        .awayTimeout(forever)
        .pingInterval(forever)
        .maxBackoff(forever);
    EngineLink link = open(client);
    link.prepare(queue("jobs"), Declaration.CHECK);
    server().stop(Duration.ZERO);
    take("lost", events.lost);
    assertThat(away("send", link.send(TOPIC, message("1")))).hasMessageContaining("is away for");
    start(builder -> builder);
    take("restored", events.restored);
    Eventually.get("sent", link.send(TOPIC, message("2")));
  }

  @Test
  void fullWindowIsAnErrorAfterTheSendTimeout() throws Exception {
    engine.holdSends = true;
    start(builder -> builder.window(1));
    EngineLink link = open();
    link.send(TOPIC, message("1"));
    assertThat(Eventually.failure("second", link.send(TOPIC, message("2"))))
        .isInstanceOf(QueueFullException.class)
        .hasMessageContaining("no room within sendTimeout: 1 frames");
    engine.held.get(0).complete(null);
  }

  @Test
  void openRequestsAreLostWithTheConnection() throws Exception {
    EngineLink link = open();
    Eventually.get("sent", link.request(SUBJECT, 5, message("q"), Duration.ofSeconds(20)));
    server().stop(Duration.ZERO);
    Reply reply = take("reply", events.replies);
    assertThat(reply.id()).isEqualTo(5);
    assertThat(reply.status()).isEqualTo(Reply.Status.LOST);
  }

  @Test
  void cutConnectionGivesBackAndTheSubscriptionReturns() throws Exception {
    try (Relay relay = new Relay()) {
      EngineLink link = open(client(relay));
      Received received = new Received();
      link.consume(queue("jobs"), SETTINGS, received).request(3);
      final var begun = engine.deliver("jobs", "one");
      final var waiting = engine.deliver("jobs", "two");
      received.next().begin();
      received.next();
      Eventually.get("answered", link.send(TOPIC, message("x")));
      relay.cut();
      assertThat(begun.outcome()).isEqualTo(new Outcome.GiveBack(true));
      assertThat(waiting.outcome()).isEqualTo(new Outcome.GiveBack(true));
      take("restored", events.restored);
      engine.deliver("jobs", "three");
      assertThat(text(received.next())).isEqualTo("three");
    }
  }

  @Test
  void silentServerIsNoticed() throws Exception {
    try (Relay relay = new Relay()) {
      EngineLink link = open(client(relay).pingInterval(Duration.ofMillis(100)));
      assertThat(link.health().up()).isTrue();
      relay.hold(true);
      assertThat(take("lost", events.lost)).hasMessageContaining("the server was silent for");
      relay.hold(false);
      relay.cut();
    }
  }

  @Test
  void idleConnectionStays() throws Exception {
    EngineLink link = open(client().pingInterval(Duration.ofMillis(500)));
    assertThat(events.lost.poll(1500, TimeUnit.MILLISECONDS)).isNull();
    assertThat(link.health().up()).isTrue();
  }

  @Test
  void refusedResubscriptionEndsTheSource() throws Exception {
    EngineLink link = open();
    Received received = new Received();
    link.consume(queue("jobs"), SETTINGS, received).request(1);
    server().stop(Duration.ZERO);
    start(builder -> builder.permissions((verb, address, context) -> false));
    assertThat(take("failure", received.failures))
        .isInstanceOf(PermissionDeniedException.class)
        .hasMessageContaining("deny PULL of jobs");
  }

  @Test
  void refusedLoginIsNamed() throws Exception {
    start(builder -> builder.rpc(rpc -> rpc.intercept(new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        call.close(Status.UNAUTHENTICATED.withDescription("no token"), new Metadata());
        return new ServerCall.Listener<>() {};
      }
    })));
    assertThatThrownBy(this::open)
        .isInstanceOf(LoginRefusedException.class)
        .hasMessageContaining("no token");
  }

  @Test
  void absentServerIsAnErrorOfOpen() throws Exception {
    GrpcEngine.Builder client = client();
    server().stop(Duration.ZERO);
    assertThatThrownBy(() -> open(client))
        .isInstanceOf(BrokerAwayException.class)
        .hasMessageContaining("127.0.0.1:" + port);
  }

  @Test
  void guaranteesAreThoseOfAnotherProcess() throws Exception {
    GrpcEngine remote = client().build();
    Guarantees queues = remote.guarantees(Guarantees.Pattern.PUSH_PULL);
    assertThat(queues.durability()).isEqualTo(Guarantees.Durability.MACHINE);
    assertThat(queues.ifSenderDies()).isEqualTo(Guarantees.Loss.NOTHING);
    assertThat(queues.ifReceiverDies()).isEqualTo(Guarantees.Loss.NOTHING);
    assertThat(queues.ifEngineDies()).isEqualTo(Guarantees.Loss.EVERYTHING);
    assertThat(queues.overflows()).containsOnly(Overflow.BLOCK, Overflow.DROP_OLDEST);
    assertThat(remote.guarantees(Guarantees.Pattern.FIRE_AND_FORGET).knowsNobodyListens())
        .isFalse();
    Eventually.isTrue("left", () -> server().clients() == 0);
  }

  @Test
  void deadLettersAreReadAndChosen() throws Exception {
    EngineLink link = open();
    var letters = link.deadLetters(queue("jobs"));
    assertThat(Eventually.get("count", letters.count())).isEqualTo(3);
    List<DeadLetter> two = Eventually.get("peek", letters.peek(2));
    assertThat(two).extracting(each -> each.original().id()).containsExactly("a", "b");
    assertThat(two.get(0).reason()).isEqualTo(DeadLetter.Reason.REJECTED);
    assertThat(two.get(0).died().toEpochMilli()).isEqualTo(1_700_000_000_123L);
    assertThat(two.get(0).original().headers()).containsEntry("h", "a");
    assertThat(Eventually.get(
            "redrive", letters.redrive(9, letter -> !letter.original().id().equals("b"))))
        .isEqualTo(2);
    assertThat(Eventually.failure("purge", letters.purge(letter -> {
          throw new IllegalStateException("mine");
        })))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("mine");
  }

  @Test
  void messageAboveTheServersLimitIsRefusedHere() throws Exception {
    start(builder -> builder.maxMessageSize(1000));
    EngineLink link = open();
    assertThat(Eventually.failure("send", link.send(TOPIC, Message.of(new byte[1001]))))
        .isInstanceOf(MessageTooLargeException.class)
        .hasMessageStartingWith("message of 1001 bytes exceeds maxMessageSize 1000 of the server");
    assertThat(engine.sent).isEmpty();
  }

  @Test
  void closeWaitsForAnswersWithinItsBound() throws Exception {
    engine.holdSends = true;
    EngineLink link = open();
    var send = link.send(TOPIC, message("1"));
    Eventually.isTrue("sent", () -> engine.held.size() == 1);
    var closed = CompletableFuture.runAsync(() -> link.close(Duration.ofSeconds(20)));
    assertThat(closed).isNotDone();
    engine.held.get(0).complete(null);
    Eventually.get("closed", closed);
    Eventually.get("sent", send);
    Eventually.isTrue("left", () -> server().clients() == 0);
    assertThat(events.lost).isEmpty();
  }

  @Test
  void manySendersKeepTheirOrder() throws Exception {
    EngineLink link = open(client(), Duration.ofSeconds(10));
    List<CompletionStage<Void>> all = new ArrayList<>();
    for (int i = 0; i < 5000; i++) {
      all.add(link.send(TOPIC, message(Integer.toString(i))));
    }
    all.forEach(each -> Eventually.get("sent", each));
    for (int i = 0; i < 5000; i++) {
      assertThat(new String(engine.sent.get(i).payload(), UTF_8)).isEqualTo(Integer.toString(i));
    }
  }
}
