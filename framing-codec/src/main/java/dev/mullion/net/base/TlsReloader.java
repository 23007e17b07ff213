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
 * The TLS of a running server or client, which loads its files again when they have changed.
 *
 * <pre>{@code
 *  read() ---> start() ---> every reloadInterval: reload() ---> close()
 *                                |
 *                 files changed  +--> context of new connections replaced, logged
 *                 unusable       +--> the previous one stays, counted, onFailure, logged
 * }</pre>
 *
 * <p>One thread checks the files of all; it ends when none is left. A client that was not closed
 * and is no longer reachable does not count. Listeners and loggers are called without a lock, and
 * what they throw, errors too, does not end the checking.
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

  /** Excludes two reloads at once. */
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
    // gRPC never releases a channel that is not closed; a server runs without being referenced.
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
   * Reads the files, and does not check them before it is started.
   *
   * @param protocol adds what the protocol above TLS needs, such as ALPN
   * @param failures counts files that cannot be used, from then on
   * @param onFailure is called for each of these, without a lock, and not by the thread that checks
   */
  public static TlsReloader read(
      Tls tls, UnaryOperator<SslContextBuilder> protocol, LongAdder failures, Runnable onFailure)
      throws IOException {
    return new TlsReloader(TlsFiles.read(tls), protocol, failures, onFailure);
  }

  /** Returns a context that always makes connections with the newest files. */
  public SslContext context() {
    return context;
  }

  /** Returns the context of the newest files. */
  public SslContext newest() {
    return context.newest();
  }

  /** Checks the files until this is closed, or the context is no longer referenced. */
  public void start() {
    long nanos = Check.nanos(tls.reloadInterval());
    if (nanos > 0) {
      checking = Periodic.every(nanos, this);
    }
  }

  /** Checks the files of a reloader that it does not keep from being collected. */
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

  /** Whatever it threw would end the checking for good. */
  private void check() {
    try {
      Outcome outcome = attempt();
      if (outcome.isNewFailure()) {
        DaemonThreads.named("mullion-tls-failure").newThread(this::tell).start();
      }
      log(outcome);
    } catch (Throwable e) {
      LOG.log(Level.WARNING, "check of TLS files failed, the next one follows", e);
    }
  }

  private void tell() {
    try {
      onFailure.run();
    } catch (Throwable e) {
      LOG.log(Level.WARNING, "listener of TLS files that cannot be used failed", e);
    }
  }

  /**
   * Loads the files if they have changed.
   *
   * @return whether they have changed
   * @throws IOException if one cannot be used; the previous ones stay in use
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

  /** The same failure at each interval is one failure. */
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
          Level.WARNING, "new files cannot be used, the old ones stay in use: " + text(failure));
    } else if (outcome.changed()) {
      LOG.log(Level.INFO, "new files are in use: {0}", tls);
    }
  }

  /** Returns what became of changed files. */
  public TlsState state() {
    return state;
  }

  @Override
  public void close() {
    Future<?> scheduled = checking;
    if (scheduled != null) {
      // Without an interrupt, which would look like a file that cannot be read.
      scheduled.cancel(false);
    }
  }
}
