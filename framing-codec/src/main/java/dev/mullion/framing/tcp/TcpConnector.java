package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.EventLoops;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A client's event loop and the connections that it makes, one after the other. */
final class TcpConnector {
  /** An event loop that cannot run a trivial task within this time is held by a callback. */
  private static final long HELD_NANOS = 1_000_000_000;

  final ClientSettings settings;
  final ConnectionSettings connectionSettings;
  final EventLoop loop;
  final DialParts parts;
  private final EventLoopGroup group;
  private final @Nullable Watchdog watchdog;
  private final AtomicBoolean closing = new AtomicBoolean();
  private volatile @Nullable FramedConnection connection;

  /** Whether a request was ever made: later connections then begin by taking replies. */
  private volatile boolean makesRequests;

  /** The number of attempts since the last connection that lasted. Used on the event loop. */
  private int attempts;

  private @Nullable Attempt attempt;

  TcpConnector(
      ClientSettings settings,
      ConnectionSettings connectionSettings,
      @Nullable BatchHandler batchHandler)
      throws IOException {
    this.settings = settings;
    this.connectionSettings = connectionSettings;
    Transport transport = settings.transport().selected();
    TransportParts netty = transport.parts();
    group = EventLoops.create(
        "event loop of the client to " + settings.target(),
        1,
        new DefaultThreadFactory("mullion-client", true),
        netty.ioHandlers());
    loop = group.next();
    boolean complete = false;
    try {
      LoopWatch watch = new LoopWatch(loop, TcpListener.shortestTimeout(connectionSettings));
      parts = new DialParts(
          settings, connectionSettings, batchHandler, transport, netty, loop, watch, this::take);
      long slow = settings.slowHandlerNanos();
      watchdog = batchHandler == null || slow == 0
          ? null
          : new Watchdog(List.of(watch), slow, connectionSettings);
      complete = true;
    } finally {
      if (!complete) {
        shutDown();
      }
    }
  }

  TcpCounters counters() {
    return connectionSettings.totals();
  }

  FramedConnection connection() {
    return requireNonNull(connection, "connection");
  }

  TlsContext tls() {
    return Check.hasTls(settings.tls(), "client");
  }

  boolean isConnected() {
    return !closing.get() && connection().isOpen();
  }

  /** Connects for the first time, and ends the event loop if that fails. */
  void connect() throws IOException {
    boolean connected = false;
    Attempt first = new Attempt(parts);
    attempt = first;
    try {
      first.begin().get(settings.connectNanos(), TimeUnit.NANOSECONDS);
      if (settings.tls() != null) {
        settings.tls().start();
      }
      connected = true;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException clear ? clear : new IOException(e.getCause());
    } catch (TimeoutException e) {
      throw first.late();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while connecting to " + settings.target());
    } finally {
      if (!connected) {
        close(0);
      }
    }
  }

  /**
   * On the event loop: takes over an open connection.
   *
   * @return whether it is wanted
   */
  private boolean take(FramedConnection opened) {
    if (closing.get()) {
      return false;
    }
    if (makesRequests) {
      opened.requests(settings.maxRequestsInFlight());
    }
    connection = opened;
    TcpCounters totals = counters();
    totals.connectionsOpened.increment();
    totals.connectionsOpen.incrementAndGet();
    Runnable judge = judgeOf(System.nanoTime());
    if (!settings.reconnect().isOff()) {
      opened.link().ending.whenPeerEnds(() -> {
        judge.run();
        endWithPeer(opened);
      });
    }
    opened.closed().whenComplete((done, error) -> {
      totals.connectionsOpen.decrementAndGet();
      judge.run();
      reconnect();
    });
    return true;
  }

  /** Returns the action for a lost connection; its first run determines how long it lasted. */
  private Runnable judgeOf(long since) {
    AtomicBoolean judged = new AtomicBoolean();
    return () -> {
      if (judged.compareAndSet(false, true)
          && settings.reconnect().forgetsAfter(System.nanoTime() - since)) {
        attempts = 0;
      }
    };
  }

  /**
   * Ends a connection whose peer has ended it. Accepted frames are still sent, if the peer reads.
   */
  private void endWithPeer(FramedConnection ended) {
    Ending ending = ended.link().ending;
    ending.finish();
    long nanos = connectionSettings.closeNanos();
    Runnable cut = () -> {
      if (!ended.isClosed()) {
        ending.abort(new SocketTimeoutException("connection ended by its peer is still open "
            + "after " + TimeUnit.NANOSECONDS.toMillis(nanos) + " ms (closeTimeout, peer "
            + ended.remoteAddress() + ")"));
      }
    };
    ScheduledFuture<?> timer = loop.schedule(cut, nanos, TimeUnit.NANOSECONDS);
    ended.closed().whenComplete((done, error) -> timer.cancel(false));
  }

  /** On the event loop: reconnects after a delay, if the policy allows it. */
  private void reconnect() {
    Reconnect reconnect = settings.reconnect();
    if (closing.get() || reconnect.isOff()) {
      return;
    }
    if (!reconnect.allows(attempts + 1)) {
      LinkContext.LOG.log(
          WARNING,
          "gave up connecting to " + settings.target() + " (maxAttempts: " + attempts
              + " since the last connection that lasted, resetAfter: " + reconnect.resetAfter()
              + ")");
      return;
    }
    attempts++;
    long delay = reconnect.delayNanos(attempts, ThreadLocalRandom.current().nextDouble());
    loop.schedule(this::connectAgain, delay, TimeUnit.NANOSECONDS);
  }

  private void connectAgain() {
    if (!closing.get()) {
      Attempt again = new Attempt(parts);
      attempt = again;
      again.begin().whenComplete((made, error) -> connectedAgain(error));
    }
  }

  private void connectedAgain(@Nullable Throwable error) {
    attempt = null;
    if (error == null) {
      counters().reconnects.increment();
    } else {
      counters().reconnectsFailed.increment();
      connectionSettings.log().log(
          Event.RECONNECT_FAILED,
          DEBUG,
          settings.target(),
          () -> "reconnect attempt " + attempts + " to " + settings.target() + " failed: " + error);
      reconnect();
    }
  }

  CompletableFuture<byte[]> request(byte[] frame, long timeoutNanos) {
    makesRequests = true;
    return connection().requests(settings.maxRequestsInFlight()).send(frame, timeoutNanos);
  }

  /** Sends the accepted frames, closes, and waits for that; on the event loop it does not wait. */
  void close() {
    close(connectionSettings.closeNanos());
  }

  private void close(long nanos) {
    if (closing.compareAndSet(false, true)) {
      if (watchdog != null) {
        watchdog.close();
      }
      if (settings.tls() != null) {
        settings.tls().close();
      }
      onLoop(() -> beginToClose(nanos));
    }
    if (loop.inEventLoop()) {
      return;
    }
    try {
      if (!group.terminationFuture().await(nanos, TimeUnit.NANOSECONDS)
          && !group.terminationFuture().await(HELD_NANOS, TimeUnit.NANOSECONDS)) {
        cutFromOutside();
      }
    } catch (InterruptedException e) {
      // The interrupt ends the waiting: the event loop continues to close, for up to closeTimeout.
      Thread.currentThread().interrupt();
    }
  }

  private void onLoop(Runnable task) {
    if (loop.inEventLoop()) {
      task.run();
      return;
    }
    try {
      loop.execute(task);
    } catch (RejectedExecutionException e) {
      LinkContext.LOG.log(
          DEBUG, "event loop of the client to " + settings.target() + " has ended", e);
    }
  }

  private void beginToClose(long nanos) {
    if (attempt != null) {
      attempt.end(new IOException("client was closed"));
    }
    FramedConnection present = connection;
    if (present == null || present.isClosed()) {
      shutDown();
      return;
    }
    present.link().ending.finish();
    present.closed().whenComplete((done, error) -> shutDown());
    Runnable cut = () -> {
      if (!present.isClosed()) {
        counters().connectionsCut.increment();
        present.abort();
      }
    };
    loop.schedule(cut, nanos, TimeUnit.NANOSECONDS);
  }

  private void shutDown() {
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  /**
   * A callback holds the event loop, and nothing can be sent or closed before it returns. Callers
   * that wait for a frame, a reply or room are notified. Unsent bytes are lost and counted now.
   */
  private void cutFromOutside() {
    shutDown();
    FramedConnection present = connection;
    if (present == null || present.isClosed()) {
      return;
    }
    String text = "client was closed while a callback held its event loop (closeTimeout, peer "
        + present.remoteAddress() + ")";
    if (present.cutFromOutside(new IOException(text))) {
      counters().connectionsCut.increment();
      LinkContext.LOG.log(WARNING, text);
    }
  }
}
