package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Context;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Tells a call that its server is to stop, so that a long stream can end itself with a last message
 * before it is cut. It is given by {@link RpcServer#stop} after the {@code shutdownDelay}. {@link
 * StreamWriter} tells the same; this is for calls that have none.
 *
 * <pre>{@code
 * StopSignal.current().onGiven(ticks::cancel);
 * }</pre>
 *
 * <p>Any thread may call any method.
 */
public final class StopSignal {
  private final CallTracker.OpenCall call;

  private StopSignal(CallTracker.OpenCall call) {
    this.call = call;
  }

  /**
   * Returns the signal for the call that the current thread works for.
   *
   * @throws IllegalStateException if it works for no call of an {@link RpcServer}
   */
  public static StopSignal current() {
    CallTracker.OpenCall call = CallTracker.currentOrNull();
    if (call == null) {
      throw new IllegalStateException(
          "no call of an RpcServer on this thread (expected: the Context of such a call)");
    }
    return new StopSignal(call);
  }

  /** Returns whether the server is to stop. */
  public boolean isGiven() {
    return call.isStopping();
  }

  /**
   * Adds what runs once the server is to stop, at once if it is, unless the call has ended then. It must
   * not wait: a stream's runs on the server's executor, but others' on the thread that stops the server.
   * What it throws is logged.
   */
  public void onGiven(Runnable callback) {
    Runnable inContext = Context.current().wrap(requireNonNull(callback, "callback"));
    AtomicBoolean ran = new AtomicBoolean();
    Runnable watcher = () -> {
      if (call.isStopping() && ran.compareAndSet(false, true)) {
        run(inContext);
      }
    };
    call.watch(watcher);
    watcher.run();
  }

  private void run(Runnable callback) {
    CallEvents events = call.events();
    if (events == null) {
      CallEvents.run(callback);
    } else {
      events.beside(callback);
    }
  }
}
