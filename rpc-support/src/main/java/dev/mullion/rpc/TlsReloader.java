package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.DaemonThreads;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.lang.ref.WeakReference;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/**
 * TLS of a running server or channel, which takes its files again when they have changed. One thread
 * looks at the files of all of them; it ends when none is left. A channel that nobody has closed, and
 * nobody can reach any more, is none.
 */
final class TlsReloader implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(TlsReloader.class.getName());
  private static final ScheduledThreadPoolExecutor TIMER = timer();

  private final Tls tls;
  private final Runnable told;
  private final ReloadedSslContext context;
  private volatile @Nullable Future<?> looking;

  private TlsFiles inUse;
  private long reloads;
  private long failedReloads;
  private @Nullable String failure;

  private TlsReloader(Tls tls, TlsFiles files, Runnable told) throws IOException {
    this.tls = tls;
    this.told = told;
    this.inUse = files;
    // gRPC never lets go of a channel that nobody closes; a server runs on although nobody knows
    // it.
    this.context = new ReloadedSslContext(files.context(), tls.forClient ? null : this);
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
   * Reads the files, and does not look at them again until it is started.
   *
   * @param told of each failure from then on
   */
  static TlsReloader read(Tls tls, Runnable told) throws IOException {
    return new TlsReloader(tls, TlsFiles.read(tls), told);
  }

  /** Does so for a channel, or returns null if it has no TLS. */
  static @Nullable TlsReloader readUnchecked(@Nullable Tls tls, Runnable told) {
    try {
      return tls == null ? null : read(tls, told);
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }

  SslContext context() {
    return context;
  }

  /** Has the files looked at until it is closed, or nobody uses the context any more. */
  void start() {
    long nanos = Check.nanos(tls.reloadInterval);
    if (nanos > 0) {
      looking = Look.every(nanos, this);
    }
  }

  /** Looks at the files of what it does not keep from being collected. */
  private static final class Look implements Runnable {
    private final WeakReference<TlsReloader> reloader;
    private volatile @Nullable Future<?> own;

    private Look(TlsReloader reloader) {
      this.reloader = new WeakReference<>(reloader);
    }

    static Future<?> every(long nanos, TlsReloader reloader) {
      Look look = new Look(reloader);
      Future<?> own = TIMER.scheduleWithFixedDelay(look, nanos, nanos, NANOSECONDS);
      look.own = own;
      return own;
    }

    @Override
    public void run() {
      TlsReloader looked = reloader.get();
      Future<?> scheduled = own;
      if (looked != null) {
        looked.look();
      } else if (scheduled != null) {
        scheduled.cancel(false);
      }
    }
  }

  private void look() {
    try {
      reload();
    } catch (IOException | RuntimeException failed) {
      // It has been logged, and the old ones are still there.
    }
  }

  /** Returns whether the files have changed. */
  synchronized boolean reload() throws IOException {
    try {
      TlsFiles files = TlsFiles.read(tls);
      boolean changed = !files.equals(inUse);
      if (changed) {
        files.checkValid();
        context.replace(files.context());
        inUse = files;
        reloads++;
        LOG.log(Level.INFO, "new files are in use: {0}", tls);
      }
      failure = null;
      return changed;
    } catch (IOException | RuntimeException e) {
      failed(String.valueOf(e.getMessage()));
      throw e;
    }
  }

  /** The same failure of each interval is one only. */
  private void failed(String message) {
    if (!message.equals(failure)) {
      failure = message;
      failedReloads++;
      told.run();
      LOG.log(Level.WARNING, "new files cannot be used, the old ones stay in use: " + message);
    }
  }

  synchronized TlsState state() {
    return new TlsState(reloads, failedReloads, failure);
  }

  @Override
  public void close() {
    Future<?> scheduled = looking;
    if (scheduled != null) {
      // Without an interrupt, which to one who reads would look like a file that cannot be read.
      scheduled.cancel(false);
    }
  }
}
