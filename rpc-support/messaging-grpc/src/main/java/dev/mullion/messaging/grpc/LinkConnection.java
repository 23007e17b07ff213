package dev.mullion.messaging.grpc;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.LoginRefusedException;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Hello;
import dev.mullion.messaging.grpc.v1.Message;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import io.grpc.Status;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** Keeps a link connected: one session after the other, with growing pauses between attempts. */
final class LinkConnection implements LinkSession.Events {
  private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
  /** How long a server may take to end a stream that this side has ended. */
  private static final Duration LAST_WORD = Duration.ofMillis(250);

  private final GrpcEngine engine;
  private final EngineContext context;
  private final GrpcLink link;
  private final LinkSends sends;
  private final MessagingClock clock;
  private final CompletableFuture<Void> first = new CompletableFuture<>();
  private final AtomicInteger attempts = new AtomicInteger();
  private final Signal quiet = new Signal();

  /** The session that has its Welcome and has not ended. */
  private volatile @Nullable LinkSession current;

  private volatile @Nullable LinkSession newest;
  private volatile boolean closing;

  /** Guarded by this. */
  private long lostAt;

  private boolean toldLost;

  LinkConnection(GrpcEngine engine, EngineContext context, GrpcLink link) {
    this.engine = engine;
    this.context = context;
    this.link = link;
    this.clock = engine.clock();
    this.sends = new LinkSends(engine.where(), clock, engine.awayTimeout());
  }

  LinkSends sends() {
    return sends;
  }

  MessagingClock clock() {
    return clock;
  }

  /** Returns the time of the clock after a timeout. */
  long deadline(Duration timeout) {
    return clock.nanoTime() + WireMessages.nanos(timeout);
  }

  String where() {
    return engine.where();
  }

  /** Returns the error for a message that the server would reject; null if it takes it. */
  @Nullable
  MessageTooLargeException tooLarge(Message message) {
    String tooLarge = WireMessages.tooLarge(message, engine.maxMessageSize());
    return tooLarge == null
        ? null
        : new MessageTooLargeException("message of " + tooLarge + " " + where());
  }

  @Nullable
  LinkSession current() {
    return current;
  }

  /** Connects for the first time; there is one attempt. */
  void open(Duration timeout) throws MessagingException {
    connect();
    boolean opened = false;
    try {
      first.get(WireMessages.nanos(timeout), TimeUnit.NANOSECONDS);
      opened = true;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof MessagingException known
          ? known
          : new BrokerAwayException(String.valueOf(e.getCause()), e, false);
    } catch (TimeoutException e) {
      throw new BrokerAwayException(
          "no answer from " + where() + " within connectTimeout " + timeout, e, false);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BrokerAwayException("interrupted while connecting to " + where(), e, false);
    } finally {
      if (!opened) {
        closing = true;
        drop("not connected");
      }
    }
  }

  private void connect() {
    Hello hello = Hello.newBuilder()
        .setVersion(1)
        .setClient(engine.client())
        .setSendTimeout(WireMessages.of(context.sendTimeout()))
        .setPacksAnswers(true)
        .build();
    newest = LinkSession.open(
        engine.channel(),
        ClientFrame.newBuilder().setHello(hello).build(),
        this,
        clock,
        engine.pingInterval(),
        engine.connectTimeout());
  }

  @Override
  public void welcomed(LinkSession session) {
    try {
      engine.welcomed(session.welcome());
    } catch (IllegalArgumentException later) {
      session.fail("the server's Welcome is not understood: " + later.getMessage());
      return;
    }
    if (closing) {
      session.fail("the link is closing");
      return;
    }
    List<Pending> restoring = link.restore();
    current = session;
    sends.connected(session, restoring);
    CompletableFuture.allOf(restoring.stream()
            .map(each -> each.answer().handle((done, error) -> null))
            .toArray(CompletableFuture[]::new))
        .thenRun(() -> restored(session));
  }

  private void restored(LinkSession session) {
    if (session.isOver()) {
      return;
    }
    attempts.set(0);
    if (first.complete(null)) {
      return;
    }
    Duration outage;
    synchronized (this) {
      if (!toldLost) {
        return;
      }
      toldLost = false;
      outage = Duration.ofNanos(clock.nanoTime() - lostAt);
    }
    context.events().connectionRestored(where(), outage);
  }

  @Override
  public void frame(LinkSession session, ServerFrame frame) {
    link.frame(session, frame);
  }

  @Override
  public void ended(LinkSession session, Status status) {
    String text =
        status.getCode() + (status.getDescription() == null ? "" : ": " + status.getDescription());
    sends.away(text);
    MessagingException cause = error(status, text);
    if (first.completeExceptionally(cause)) {
      return;
    }
    try {
      tell(session, status, cause, text);
    } finally { // whatever those who are told do, it connects again
      if (!closing) {
        pause();
      }
    }
  }

  private void tell(LinkSession session, Status status, MessagingException cause, String text) {
    if (current == session) {
      current = null;
      sends.lost(session, cause);
      link.lost("connection to " + where() + " was lost: " + text);
    }
    if (closing) {
      return;
    }
    tellLost(cause);
    if (status.getCode() == Status.Code.INVALID_ARGUMENT) {
      Logs.LOG.log(
          Logs.Event.STREAM_ENDED,
          Level.ERROR,
          where(),
          () -> "server " + where() + " ended the stream: " + text);
    }
  }

  private void tellLost(MessagingException cause) {
    synchronized (this) {
      if (toldLost) {
        return;
      }
      toldLost = true;
      lostAt = clock.nanoTime();
    }
    context.events().connectionLost(where(), cause);
  }

  private MessagingException error(Status status, String text) {
    return switch (status.getCode()) {
      case UNAUTHENTICATED, PERMISSION_DENIED ->
        new LoginRefusedException("server " + where() + " rejects this client: " + text);
      default ->
        new BrokerAwayException(
            "server " + where() + " cannot be reached: " + text, status.asException(), false);
    };
  }

  /** Tries again after a random time that grows with each attempt. */
  private void pause() {
    int attempt = Math.min(attempts.getAndIncrement(), 20);
    long most = Math.min(FIRST_PAUSE.toNanos() << attempt, WireMessages.nanos(engine.maxBackoff()));
    long nanos = ThreadLocalRandom.current().nextLong(most / 2, most + 1);
    clock.schedule(Duration.ofNanos(nanos), Later.on(Threads.OF_CLIENTS, this::again));
  }

  private void again() {
    if (closing) {
      return;
    }
    try {
      engine.channel().resetConnectBackoff();
      connect();
    } catch (Throwable thrown) { // such as no memory: the next attempt may succeed
      Logs.LOG.log(
          Logs.Event.STREAM_ENDED,
          Level.WARNING,
          where(),
          () -> "no attempt to connect to " + where() + "; the next one follows",
          thrown);
      pause();
    }
  }

  Health health() {
    return current != null ? new Health(true, "") : new Health(false, sends.absence());
  }

  /** Waits for answers within the bound, leaves, and disconnects. */
  void close(Duration timeout) {
    closing = true;
    long end = deadline(timeout);
    LinkSession session = current;
    if (session != null) {
      sends.whenQuiet(quiet::signal);
      session.whenQuiet(quiet::signal);
      quiet.await(end, () -> session.isOver() || (session.isQuiet() && sends.isQuiet()));
      sends.close();
      session.complete();
      quiet.await(Math.max(end, clock.nanoTime() + LAST_WORD.toNanos()), session::isOver);
    }
    sends.close();
    drop("the link was closed");
  }

  /** Lets a closing thread wait for a condition. */
  private final class Signal {
    private final Object lock = new Object();

    void signal() {
      synchronized (lock) {
        lock.notifyAll();
      }
    }

    /** Waits until the condition holds or the time is over, or until it is interrupted. */
    void await(long end, BooleanSupplier condition) {
      synchronized (lock) {
        try {
          while (!condition.getAsBoolean()) {
            long left = end - clock.nanoTime();
            if (left <= 0) {
              return;
            }
            TimeUnit.NANOSECONDS.timedWait(lock, left);
          }
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
    }
  }

  private void drop(String reason) {
    LinkSession session = newest;
    if (session != null) {
      session.fail(reason);
    }
  }
}
