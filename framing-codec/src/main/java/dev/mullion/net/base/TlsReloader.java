package dev.mullion.net.base;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.lang.ref.WeakReference;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The TLS of a running server or client. It reloads its files when they have changed.
 *
 * <pre>{@code
 *  read() ---> start() ---> every reloadInterval: reload() ---> close()
 *                                |
 *                 files changed  +--> context of new connections replaced, logged
 *                 unusable       +--> the previous one stays, counted, onFailure, logged
 * }</pre>
 *
 * <p>One thread checks the files of all servers and clients, and ends when none is left. A client
 * that is no longer reachable is not checked, even if it was not closed. Listeners and loggers are
 * called without a lock. Their exceptions and errors do not end the checks.
 */
public final class TlsReloader implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Tls.class.getName());
  private static final ScheduledThreadPoolExecutor TIMER = timer();

  private final Tls tls;
  private final UnaryOperator<SslContextBuilder> protocol;
  private final LongAdder failures;
  private final Runnable onFailure;
  private final ReloadedSslContext context;
  private volatile @Nullable Future<?> checking;
  private volatile TlsState state = new TlsState(0, 0, null);

  /** Held during a reload: only one runs at a time. */
  private final Object reloading = new Object();

  private TlsFiles inUse;

  private TlsReloader(
      TlsFiles files,
      UnaryOperator<SslContextBuilder> protocol,
      LongAdder failures,
      Runnable onFailure)
      throws IOException {
    this.tls = files.tls();
    this.protocol = protocol;
    this.failures = failures;
    this.onFailure = onFailure;
    this.inUse = files;
    // A server runs without other references. A client's context must not keep the reloader
    // reachable, because gRPC never releases a channel that is not closed.
    this.context = new ReloadedSslContext(files.context(protocol), tls.isForClient() ? null : this);
  }

  private static ScheduledThreadPoolExecutor timer() {
    ScheduledThreadPoolExecutor timer =
        new ScheduledThreadPoolExecutor(1, DaemonThreads.named("mullion-tls-reload"));
    timer.setKeepAliveTime(5, SECONDS);
    timer.allowCoreThreadTimeOut(true);
    timer.setRemoveOnCancelPolicy(true);
    return timer;
  }

  /**
   * Reads the files. They are checked for changes only after {@link #start}.
   *
   * @param protocol configures the protocol above TLS, such as ALPN
   * @param failures counts changed files that cannot be used
   * @param onFailure called for each of these, without a lock, and not on the checking thread
   */
  public static TlsReloader read(
      Tls tls, UnaryOperator<SslContextBuilder> protocol, LongAdder failures, Runnable onFailure)
      throws IOException {
    return new TlsReloader(TlsFiles.read(tls), protocol, failures, onFailure);
  }

  /** Returns a context that always uses the newest files for new connections. */
  public SslContext context() {
    return context;
  }

  /** Returns the context of the newest files. */
  public SslContext newest() {
    return context.newest();
  }

  /** Starts to check the files, until this is closed or the context is no longer reachable. */
  public void start() {
    long nanos = Check.nanos(tls.reloadInterval());
    if (nanos > 0) {
      checking = Periodic.every(nanos, this);
    }
  }

  /** Checks the files of a reloader without keeping it reachable. */
  private static final class Periodic implements Runnable {
    private final WeakReference<TlsReloader> reloader;
    private volatile @Nullable Future<?> own;

    private Periodic(TlsReloader reloader) {
      this.reloader = new WeakReference<>(reloader);
    }

    static Future<?> every(long nanos, TlsReloader reloader) {
      Periodic periodic = new Periodic(reloader);
      Future<?> own = TIMER.scheduleWithFixedDelay(periodic, nanos, nanos, NANOSECONDS);
      periodic.own = own;
      return own;
    }

    @Override
    public void run() {
      TlsReloader checked = reloader.get();
      Future<?> scheduled = own;
      if (checked != null) {
        checked.check();
      } else if (scheduled != null) {
        scheduled.cancel(false);
      }
    }
  }

  /** Catches everything: an exception would end the periodic checks. */
  private void check() {
    try {
      Outcome outcome = attempt();
      if (outcome.isNewFailure()) {
        DaemonThreads.named("mullion-tls-failure").newThread(this::tell).start();
      }
      log(outcome);
    } catch (Throwable e) {
      LOG.log(Level.WARNING, "TLS files could not be checked; they will be checked again", e);
    }
  }

  private void tell() {
    try {
      onFailure.run();
    } catch (Throwable e) {
      LOG.log(Level.WARNING, "listener for unusable TLS files failed", e);
    }
  }

  /**
   * Loads the files if they have changed.
   *
   * @return whether they have changed
   * @throws IOException if a file cannot be used; the previous files stay in use
   */
  public boolean reload() throws IOException {
    Outcome outcome = attempt();
    if (outcome.isNewFailure()) {
      tell();
    }
    log(outcome);
    Throwable failure = outcome.failure();
    if (failure instanceof IOException unusable) {
      throw unusable;
    }
    if (failure instanceof RuntimeException unexpected) {
      throw unexpected;
    }
    if (failure instanceof Error error) {
      throw error;
    }
    return outcome.changed();
  }

  /** The result of a check. The same failure at several intervals is new only once. */
  private record Outcome(boolean changed, @Nullable Throwable failure, boolean isNewFailure) {}

  private Outcome attempt() {
    synchronized (reloading) {
      TlsState before = state;
      try {
        TlsFiles files = TlsFiles.read(tls);
        boolean changed = !files.equals(inUse);
        if (changed) {
          files.checkValid();
          context.replace(files.context(protocol));
          inUse = files;
        }
        state = new TlsState(before.reloads() + (changed ? 1 : 0), before.failedReloads(), null);
        return new Outcome(changed, null, false);
      } catch (Throwable e) {
        String text = text(e);
        boolean isNew = !text.equals(before.failure());
        if (isNew) {
          failures.increment();
          state = new TlsState(before.reloads(), before.failedReloads() + 1, text);
        }
        return new Outcome(false, e, isNew);
      }
    }
  }

  private static String text(Throwable failure) {
    String text = failure.getMessage();
    return failure instanceof IOException && text != null ? text : failure.toString();
  }

  private void log(Outcome outcome) {
    Throwable failure = outcome.failure();
    if (outcome.isNewFailure() && failure != null) {
      LOG.log(
          Level.WARNING,
          "changed TLS files cannot be used; the previous ones stay in use: " + text(failure));
    } else if (outcome.changed()) {
      LOG.log(Level.INFO, "changed TLS files are in use: {0}", tls);
    }
  }

  /** Returns the number of reloads and the last failure. */
  public TlsState state() {
    return state;
  }

  @Override
  public void close() {
    Future<?> scheduled = checking;
    if (scheduled != null) {
      // Without an interrupt, which would look like an unreadable file.
      scheduled.cancel(false);
    }
  }
}
