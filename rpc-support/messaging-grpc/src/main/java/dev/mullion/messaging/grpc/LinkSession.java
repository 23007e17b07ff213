package dev.mullion.messaging.grpc;

import static java.util.Objects.requireNonNull;

import com.google.common.util.concurrent.MoreExecutors;
import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.grpc.v1.Acknowledged;
import dev.mullion.messaging.grpc.v1.Begin;
import dev.mullion.messaging.grpc.v1.ClientBatch;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.MessagingGrpc;
import dev.mullion.messaging.grpc.v1.Ping;
import dev.mullion.messaging.grpc.v1.ServerBatch;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Settle;
import dev.mullion.messaging.grpc.v1.Settled;
import dev.mullion.messaging.grpc.v1.Welcome;
import dev.mullion.rpc.EventLoops;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** One stream of a client, from its Hello to its end. Frames arrive one at a time. */
final class LinkSession
    implements ClientResponseObserver<ClientBatch, ServerBatch>, Outbox.Source<ClientFrame> {
  /** How long a beginning may be unknown to the server; most have an outcome by then. */
  private static final Duration BEGIN = Duration.ofMillis(5);

  /** The greatest number of outcomes in a frame. */
  private static final int MOST = 4096;

  /** What a session reports; called on the channel's threads. */
  interface Events {
    /** The server's first frame is here. */
    void welcomed(LinkSession session);

    /** A further frame is here. */
    void frame(LinkSession session, ServerFrame frame);

    /** The stream has ended; called once. */
    void ended(LinkSession session, Status status);
  }

  /** Set before the stream starts. */
  @SuppressWarnings("NullAway.Init")
  Outbox<ClientFrame, ClientBatch> outbox;

  private final Events events;
  private final MessagingClock clock;
  private final Duration pingInterval;
  private final AtomicBoolean over = new AtomicBoolean();
  private final Map<Long, CompletableFuture<Settlement>> settling = new ConcurrentHashMap<>();
  private final Queue<Long> acknowledged = new ConcurrentLinkedQueue<>();
  private final Queue<RemoteDelivery> begun = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean timed = new AtomicBoolean();
  private @Nullable ClientCallStreamObserver<ClientBatch> call;
  private volatile @Nullable Welcome welcome;
  private volatile boolean stopping;
  private volatile long lastHeard;
  private volatile Runnable quiet = () -> {};

  private LinkSession(Events events, MessagingClock clock, Duration pingInterval) {
    this.events = events;
    this.clock = clock;
    this.pingInterval = pingInterval;
    this.lastHeard = clock.nanoTime();
  }

  /** Opens a stream; its first frame is on its way when this returns. */
  static LinkSession open(
      Channel channel,
      ClientFrame hello,
      Events events,
      MessagingClock clock,
      Duration pingInterval,
      Duration connectTimeout) {
    LinkSession session = new LinkSession(events, clock, pingInterval);
    // A stream must not end with the call or deadline of the thread that happens to open it.
    Context.ROOT.run(() -> MessagingGrpc.newStub(channel)
        .withOnReadyThreshold(Outbox.UNWRITTEN)
        .withExecutor(MoreExecutors.directExecutor())
        .connect(session));
    session.outbox.add(hello);
    clock.schedule(connectTimeout, Later.on(Threads.OF_CLIENTS, () -> {
      if (session.welcome == null) {
        session.fail("no Welcome within connectTimeout " + connectTimeout);
      }
    }));
    return session;
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<ClientBatch> requests) {
    call = requests;
    outbox = new Outbox<>(
        requests,
        frames -> ClientBatch.newBuilder().addAllFrames(frames).build(),
        this,
        Threads.OF_CLIENTS,
        true,
        thrown -> fail(String.valueOf(thrown.getMessage())));
    requests.disableAutoRequestWithInitial(1);
    requests.setOnReadyHandler(() -> {
      outbox.loop(EventLoops.current());
      outbox.flush();
    });
  }

  @Override
  public void onNext(ServerBatch batch) {
    lastHeard = clock.nanoTime();
    try {
      Cork.run(() -> batch.getFramesList().forEach(this::handle));
    } catch (RuntimeException | Error thrown) {
      Logs.LOG.log(
          Logs.Event.FRAME,
          System.Logger.Level.ERROR,
          null,
          () -> "a frame of the server failed",
          thrown);
      fail("frame of the server failed: " + thrown);
      return;
    }
    requireNonNull(call).request(1);
  }

  private void handle(ServerFrame frame) {
    switch (frame.getFrameCase()) {
      case WELCOME -> {
        welcome = frame.getWelcome();
        events.welcomed(this);
        ping();
      }
      case SETTLED -> settled(frame.getSettled());
      case STOPPING -> stopping = true;
      case PONG, FRAME_NOT_SET -> {}
      default -> events.frame(this, frame);
    }
  }

  /** Watches for silence. */
  private void ping() {
    clock.schedule(pingInterval, Later.on(Threads.OF_CLIENTS, () -> {
      try {
        checkSilence();
      } finally {
        if (!over.get()) {
          ping();
        }
      }
    }));
  }

  private void checkSilence() {
    long silent = clock.nanoTime() - lastHeard;
    long interval = WireMessages.nanos(pingInterval);
    if (silent > 2 * interval + interval / 2) {
      fail("the server was silent for " + Duration.ofNanos(silent).toMillis() + " ms");
    } else if (silent > interval / 2 && !over.get()) {
      outbox.add(ClientFrame.newBuilder().setPing(Ping.getDefaultInstance()).build());
    }
  }

  Welcome welcome() {
    return requireNonNull(welcome);
  }

  boolean isStopping() {
    return stopping;
  }

  boolean isOver() {
    return over.get();
  }

  /** Tells the server later that a delivery was begun, if there is no outcome by then. */
  void beginLater(RemoteDelivery delivery) {
    begun.add(delivery);
    if (timed.compareAndSet(false, true)) {
      boolean scheduled = false;
      try {
        MessagingClock.system().schedule(BEGIN, Later.on(Threads.OF_CLIENTS, this::begin));
        scheduled = true;
      } finally {
        if (!scheduled) {
          timed.set(false);
        }
      }
    }
  }

  private void begin() {
    timed.set(false);
    for (RemoteDelivery each = begun.poll(); each != null; each = begun.poll()) {
      if (each.isUnsettled() && !over.get()) {
        outbox.enqueue(ClientFrame.newBuilder()
            .setBegin(Begin.newBuilder().setDelivery(each.frame.getDelivery()))
            .build());
      }
    }
    outbox.wake();
  }

  /** Sends the outcome of a delivery from a queue that was handled. */
  CompletionStage<Settlement> acknowledge(long delivery) {
    return settle(delivery, () -> acknowledged.add(delivery));
  }

  @Override
  public @Nullable ClientFrame answers() {
    Long first = acknowledged.poll();
    if (first == null) {
      return null;
    }
    Acknowledged.Builder all = Acknowledged.newBuilder();
    for (int i = 1; i < MOST; i++) {
      Long next = acknowledged.poll();
      if (next == null) {
        break;
      }
      all.addMoreDeliveries(next);
    }
    return ClientFrame.newBuilder()
        .setSettle(Settle.newBuilder().setDelivery(first).setAcknowledged(all))
        .build();
  }

  @Override
  public boolean hasAnswers() {
    return !acknowledged.isEmpty();
  }

  @Override
  public @Nullable ClientFrame next() {
    return null;
  }

  @Override
  public boolean hasNext() {
    return false;
  }

  /** Sends an outcome. */
  CompletionStage<Settlement> settle(Settle settle) {
    return settle(
        settle.getDelivery(),
        () -> outbox.enqueue(ClientFrame.newBuilder().setSettle(settle).build()));
  }

  private CompletionStage<Settlement> settle(long delivery, Runnable enqueue) {
    if (over.get()) {
      // The server has given it back.
      return CompletableFuture.completedFuture(Settlement.LEASE_LOST);
    }
    CompletableFuture<Settlement> answer = new CompletableFuture<>();
    settling.put(delivery, answer);
    if (over.get()) {
      settling.remove(delivery);
      answer.complete(Settlement.UNKNOWN);
      return answer;
    }
    enqueue.run();
    outbox.wake();
    return answer;
  }

  private void settled(Settled frame) {
    Settlement settlement = switch (frame.getSettlement()) {
      case SETTLEMENT_APPLIED -> Settlement.APPLIED;
      case SETTLEMENT_LEASE_LOST -> Settlement.LEASE_LOST;
      default -> Settlement.UNKNOWN;
    };
    settled(frame.getDelivery(), settlement);
    frame.getMoreDeliveriesList().forEach(each -> settled(each, settlement));
    quiet.run();
  }

  private void settled(long delivery, Settlement settlement) {
    CompletableFuture<Settlement> answer = settling.remove(delivery);
    if (answer != null) {
      answer.complete(settlement);
    }
  }

  /** Sets what runs when an outcome was answered, and when the stream has ended. */
  void whenQuiet(Runnable quiet) {
    this.quiet = quiet;
  }

  /** Returns whether all outcomes were answered. */
  boolean isQuiet() {
    return settling.isEmpty();
  }

  /** Leaves: the server answers by ending the stream. */
  void complete() {
    outbox.complete();
  }

  /** Ends the stream from this side. */
  void fail(String reason) {
    ClientCallStreamObserver<ClientBatch> started = call;
    if (started != null && !over.get()) {
      started.cancel(
          reason, new StatusRuntimeException(Status.UNAVAILABLE.withDescription(reason)));
    }
    end(Status.UNAVAILABLE.withDescription(reason));
  }

  @Override
  public void onError(Throwable error) {
    end(Status.fromThrowable(error));
  }

  @Override
  public void onCompleted() {
    end(Status.OK);
  }

  private void end(Status status) {
    if (!over.compareAndSet(false, true)) {
      return;
    }
    settling.forEach((delivery, answer) -> {
      if (settling.remove(delivery, answer)) {
        answer.complete(Settlement.UNKNOWN);
      }
    });
    try {
      events.ended(this, status);
    } finally {
      quiet.run();
    }
  }
}
