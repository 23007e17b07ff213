package dev.mullion.rpc;

import dev.mullion.net.base.DaemonThreads;
import java.lang.System.Logger.Level;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Passes records to a log that may be slow, on its own thread, which ends when it is idle. */
final class AccessLog implements CallRecorder.Sink, AutoCloseable {
  static final int MAX_WAITING = 10_000;

  private static final System.Logger ACCESS = System.getLogger("dev.mullion.rpc.access");

  static final Consumer<CallRecord> TO_SYSTEM_LOGGER =
      call -> ACCESS.log(Level.INFO, call::toString);

  private final Consumer<? super CallRecord> log;
  private final RpcCounters counters;
  private final ThreadPoolExecutor thread;

  AccessLog(Consumer<? super CallRecord> log, RpcCounters counters) {
    this.log = log;
    this.counters = counters;
    thread = new ThreadPoolExecutor(
        1,
        1,
        5,
        TimeUnit.SECONDS,
        new LinkedBlockingQueue<>(MAX_WAITING),
        DaemonThreads.named("mullion-rpc-access-log"));
    thread.allowCoreThreadTimeOut(true);
  }

  @Override
  public void ended(CallRecord call) {
    try {
      thread.execute(() -> write(call));
    } catch (RejectedExecutionException tooMany) {
      counters.accessRecordsDropped.increment();
    }
  }

  private void write(CallRecord call) {
    ObserverFailures.guard(counters.observersFailed, log, () -> log.accept(call));
  }

  /** Waits up to one second for pending records, unless the thread is interrupted. */
  @Override
  public void close() {
    thread.shutdown();
    try {
      thread.awaitTermination(1, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
