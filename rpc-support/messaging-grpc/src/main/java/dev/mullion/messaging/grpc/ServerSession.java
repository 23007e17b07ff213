package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.Permissions.Verb;
import dev.mullion.messaging.grpc.v1.ClientBatch;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Hello;
import dev.mullion.messaging.grpc.v1.Pong;
import dev.mullion.messaging.grpc.v1.ServerBatch;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Stopping;
import dev.mullion.messaging.grpc.v1.Welcome;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One connected client: its stream, and its own link to the engine. The parts share the work:
 * {@link SessionSends} has what the client sends, {@link SessionDeliveries} what it receives,
 * {@link SessionAdmin} the rest.
 *
 * <p>Frames of the client are handled one at a time. Frames for the client are added by any thread.
 */
final class ServerSession implements StreamObserver<ClientBatch>, EngineEvents {
  private static final int VERSION = 1;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration DEFAULT_SEND_TIMEOUT = Duration.ofSeconds(10);

  /** What exists from the client's first frame on. */
  private record Parts(
      EngineLink link,
      SessionSends sends,
      SessionRequests requests,
      SessionAdmin admin,
      SessionSubscribes subscribes) {}

  final Serving serving;
  final SessionAnswers answers;
  final SessionDeliveries deliveries;
  private final ServerCallStreamObserver<ServerBatch> call;
  private final Context context = Context.current();
  private final AtomicBoolean over = new AtomicBoolean();
  private final MessagingClock.Timer helloTimer;
  private volatile boolean stopping;
  private volatile @Nullable Parts parts;
  private String client = "";

  ServerSession(Serving serving, ServerCallStreamObserver<ServerBatch> call) {
    this.serving = serving;
    this.call = call;
    this.deliveries = new SessionDeliveries(this, serving.limits, serving.engine.clock());
    this.answers = new SessionAnswers(this, call, this::broken);
    this.helloTimer = MessagingClock.system()
        .schedule(serving.limits.helloTimeout(), () -> execute(this::checkHello));
  }

  /** The stream takes no frames any more: it is over already, or ends now. */
  private void broken(Throwable thrown) {
    if (finish(true)) {
      try {
        call.onError(Status.INTERNAL
            .withDescription("the server failed to write a frame: " + thrown)
            .asRuntimeException());
      } catch (RuntimeException closed) {
        Logs.LOG.log(
            Logs.Event.LATE, Level.DEBUG, client, () -> "the stream was closed before", closed);
      }
    }
  }

  private void checkHello() {
    if (parts == null) {
      end(Status.INVALID_ARGUMENT.withDescription("no Hello within " + serving.limits.helloTimeout()
          + " (expected: Hello as the first frame)"));
    }
  }

  @Override
  public void onNext(ClientBatch batch) {
    try {
      Cork.run(() -> {
        batch.getFramesList().forEach(this::handle);
        Parts all = parts;
        if (all != null) {
          all.sends.reportDropped();
        }
      });
    } catch (BrokenRules | IllegalArgumentException broken) { // or a value that is none
      end(Status.INVALID_ARGUMENT.withDescription(broken.getMessage()));
    } catch (RuntimeException | java.lang.Error thrown) {
      Logs.LOG.log(
          Logs.Event.FRAME,
          Level.ERROR,
          client,
          () -> "a frame of client " + client + " failed",
          thrown);
      end(Status.INTERNAL.withDescription("the server failed to handle a frame: " + thrown));
    }
    if (!over.get()) {
      call.request(1);
    }
  }

  private void handle(ClientFrame frame) {
    if (over.get()) {
      return;
    }
    Parts all = parts;
    if (all == null) {
      if (!frame.hasHello()) {
        throw new BrokenRules("frame: " + frame.getFrameCase() + " (expected: HELLO first)");
      }
      hello(frame.getHello());
      return;
    }
    switch (frame.getFrameCase()) {
      case BEGIN -> deliveries.begin(frame.getBegin().getDelivery());
      case SETTLE -> deliveries.settle(frame.getSettle());
      case CREDIT -> all.subscribes.credit(frame.getCredit());
      case UNSUBSCRIBE ->
        deliveries.unsubscribe(
            frame.getUnsubscribe().getSubscription(), frame.getUnsubscribe().getGiveBack());
      case SIGNAL -> all.sends.signal(frame.getSignal());
      case CANCEL_REQUEST -> all.requests.cancel(frame.getCancelRequest().getId());
      case SELECTED -> all.admin.selected(frame.getSelected());
      case PING ->
        answers.add(ServerFrame.newBuilder().setPong(Pong.getDefaultInstance()).build());
      case HELLO -> throw new BrokenRules("frame: HELLO (expected: once)");
      case FRAME_NOT_SET -> throw new BrokenRules("frame: absent or unknown to this version");
      default -> handleAnswered(frame, all);
    }
  }

  /** Handles a frame that has an id, within the window. */
  private void handleAnswered(ClientFrame frame, Parts all) {
    long id = Answered.id(frame);
    int bytes = Answered.bytes(frame);
    answers.window.take(id, bytes);
    if (stopping) {
      answers.answer(id, bytes, WireErrors.of(Error.Kind.KIND_STOPPING, "the server is stopping"));
      return;
    }
    switch (frame.getFrameCase()) {
      case SEND -> all.sends.send(frame.getSend());
      case REQUEST -> all.requests.request(frame.getRequest());
      case SUBSCRIBE -> all.subscribes.subscribe(frame.getSubscribe());
      case EXTEND -> deliveries.extend(frame.getExtend());
      case DECLARE -> all.admin.declare(frame.getDeclare());
      case DELETE_QUEUE -> all.admin.delete(frame.getDeleteQueue());
      case LIST_QUEUES -> all.admin.queues(frame.getListQueues());
      case COUNT_DEAD_LETTERS -> all.admin.count(frame.getCountDeadLetters());
      case PEEK_DEAD_LETTERS -> all.admin.peek(frame.getPeekDeadLetters());
      case SELECT_DEAD_LETTERS -> all.admin.select(frame.getSelectDeadLetters());
      default -> throw new BrokenRules("frame: " + frame.getFrameCase() + " unknown");
    }
  }

  private void hello(Hello hello) {
    if (hello.getVersion() != VERSION) {
      throw new BrokenRules("version: " + hello.getVersion() + " (expected: " + VERSION + ")");
    }
    if (hello.getClient().length() > 200) {
      throw new BrokenRules(
          "client: " + hello.getClient().length() + " characters (expected: <= 200)");
    }
    if (hello.getClient().chars().anyMatch(Character::isISOControl)) {
      throw new BrokenRules("client: has control characters (expected: none)");
    }
    client = hello.getClient();
    answers.packs(hello.getPacksAnswers());
    helloTimer.cancel();
    Duration sendTimeout =
        hello.hasSendTimeout() ? WireMessages.from(hello.getSendTimeout()) : DEFAULT_SEND_TIMEOUT;
    EngineLink link;
    try {
      link = serving.engine.open(new EngineContext(
          this,
          serving.executor,
          serving.limits.window(),
          sendTimeout.isNegative() ? Duration.ZERO : sendTimeout));
    } catch (MessagingException | RuntimeException thrown) {
      end(Status.UNAVAILABLE.withDescription(
          "engine " + serving.engine.name() + " does not open: " + thrown.getMessage()));
      return;
    }
    SessionSends sends = new SessionSends(this, link, serving.limits);
    parts = new Parts(
        link,
        sends,
        new SessionRequests(this, sends, link),
        new SessionAdmin(this, link, sends),
        new SessionSubscribes(this, link, sends));
    if (over.get()) {
      execute(() -> link.close(CLOSE_TIMEOUT));
      return;
    }
    answers.add(ServerFrame.newBuilder().setWelcome(welcome()).build());
    if (stopping) {
      answers.add(
          ServerFrame.newBuilder().setStopping(Stopping.getDefaultInstance()).build());
    }
  }

  private Welcome welcome() {
    Welcome.Builder welcome = Welcome.newBuilder()
        .setVersion(VERSION)
        .setEngine(serving.engine.name())
        .setWindow(serving.limits.window())
        .setWindowBytes(serving.limits.windowBytes())
        .setMaxMessageSize(serving.limits.maxMessageSize())
        .setMaxCredit(serving.limits.maxCredit());
    serving
        .engine
        .guarantees()
        .forEach(row -> welcome.addGuarantees(WireGuarantees.of(WireGuarantees.remote(row))));
    return welcome.build();
  }

  void check(String address, Verb... anyOf) throws PermissionDeniedException {
    serving.check(context, address, anyOf);
  }

  /** Checks who declares a queue or group: a group is a way to read its topic too. */
  void check(Route.Queue queue, Verb... anyOf) throws PermissionDeniedException {
    check(queue.id(), anyOf);
    if (queue.source().isPresent()) {
      check(queue.source().get(), Verb.SUBSCRIBE);
    }
  }

  /** Returns the error of a frame; broken rules end the stream instead. */
  static Error error(Exception thrown) {
    if (thrown instanceof BrokenRules broken) {
      throw broken;
    }
    return WireErrors.of(thrown);
  }

  /** Runs what may block on a thread of the server. */
  void execute(Runnable work) {
    Later.on(serving.executor, work).run();
  }

  boolean isOver() {
    return over.get();
  }

  boolean isStopping() {
    return stopping;
  }

  /** Tells the client that the server stops; the stream ends when the client has settled all. */
  void stop() {
    stopping = true;
    deliveries.stop();
    if (parts != null) {
      answers.outbox.add(
          ServerFrame.newBuilder().setStopping(Stopping.getDefaultInstance()).build());
    }
    checkDrained();
  }

  void checkDrained() {
    if (stopping && answers.window.isEmpty() && deliveries.isEmpty() && !over.get()) {
      finish(false);
      answers.outbox.completeBy(Status.UNAVAILABLE.withDescription("the server is stopping"));
    }
  }

  /** Ends the stream for a reason. */
  void end(Status status) {
    if (finish(true)) {
      answers.outbox.fail(status.asRuntimeException());
    }
  }

  /** Frees all that this client holds; returns false if that was done. */
  boolean finish(boolean lost) {
    if (!over.compareAndSet(false, true)) {
      return false;
    }
    helloTimer.cancel();
    serving.sessions.remove(this);
    serving.clients.decrementAndGet();
    try {
      deliveries.release(lost);
    } finally {
      answers.close();
      Parts all = parts;
      if (all != null) {
        all.admin.release();
        execute(() -> all.link.close(CLOSE_TIMEOUT));
      }
    }
    return true;
  }

  /** The connection was lost, or the client cancelled its call. */
  @Override
  public void onError(Throwable error) {
    finish(true);
  }

  /** The client leaves. */
  @Override
  public void onCompleted() {
    if (finish(false)) {
      answers.outbox.complete();
    }
  }

  @Override
  public void replied(Reply reply) {
    Parts all = parts;
    if (all != null) {
      all.requests.replied(reply);
    }
  }

  @Override
  public void connectionLost(String where, Throwable cause) {
    Logs.LOG.log(
        Logs.Event.ENGINE,
        Level.WARNING,
        where,
        () -> "engine " + serving.engine.name() + " lost " + where,
        cause);
  }

  @Override
  public void connectionRestored(String where, Duration outage) {
    Logs.LOG.log(
        Logs.Event.ENGINE,
        Level.INFO,
        where,
        () -> "engine " + serving.engine.name() + " has " + where + " again after " + outage);
  }
}
