package dev.mullion.messaging.grpc;

import static java.util.Objects.requireNonNull;

import com.google.common.util.concurrent.MoreExecutors;
import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.grpc.v1.ClientBatch;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.MessagingGrpc;
import dev.mullion.messaging.grpc.v1.Ping;
import dev.mullion.messaging.grpc.v1.ServerBatch;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Settle;
import dev.mullion.messaging.grpc.v1.Settled;
import dev.mullion.messaging.grpc.v1.Welcome;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** One stream of a client, from its Hello to its end. Frames arrive one at a time. */
final class LinkSession implements ClientResponseObserver<ClientBatch, ServerBatch> {

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
        () -> null,
        Threads.OF_CLIENTS,
        true,
        thrown -> fail(String.valueOf(thrown.getMessage())));
    requests.disableAutoRequestWithInitial(1);
    requests.setOnReadyHandler(outbox::flush);
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

  /** Sends an outcome. */
  CompletionStage<Settlement> settle(Settle settle) {
    if (over.get()) {
      // The server has given it back.
      return CompletableFuture.completedFuture(Settlement.LEASE_LOST);
    }
    CompletableFuture<Settlement> answer = new CompletableFuture<>();
    settling.put(settle.getDelivery(), answer);
    if (over.get()) {
      settling.remove(settle.getDelivery());
      answer.complete(Settlement.UNKNOWN);
      return answer;
    }
    outbox.add(ClientFrame.newBuilder().setSettle(settle).build());
    return answer;
  }

  private void settled(Settled frame) {
    CompletableFuture<Settlement> answer = settling.remove(frame.getDelivery());
    if (answer != null) {
      answer.complete(
          switch (frame.getSettlement()) {
            case SETTLEMENT_APPLIED -> Settlement.APPLIED;
            case SETTLEMENT_LEASE_LOST -> Settlement.LEASE_LOST;
            default -> Settlement.UNKNOWN;
          });
      quiet.run();
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
