package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Context;

/**
 * Notifies a stream's service on the event loop that the transport takes messages again. The {@code
 * onReady} handler of gRPC's observers needs a handler thread for each notice; a service that only
 * writes what it has queued spares that change of threads.
 *
 * <pre>{@code
 * ReadySignal.current().onReady(queue::writeWhileReady);
 * }</pre>
 *
 * <p>With {@code directExecutor} all events of a call run on the event loop, and this signal is not
 * given: set the observer's {@code onReady} handler too, which is called only then.
 */
public final class ReadySignal {
  private final OpenCall call;

  private ReadySignal(OpenCall call) {
    this.call = call;
  }

  /**
   * Returns the signal for the call that the current thread runs.
   *
   * @throws IllegalStateException if this thread runs no call of an {@link RpcServer}
   */
  public static ReadySignal current() {
    OpenCall call = OpenCall.currentOrNull();
    if (call == null) {
      throw new IllegalStateException(
          "no call of an RpcServer on this thread (expected: the Context of such a call)");
    }
    return new ReadySignal(call);
  }

  /**
   * Sets a task that runs each time the transport becomes ready, in place of the observer's {@code
   * onReady} handler, which is called at most once, at the start. It runs on an event loop, which
   * serves other connections too, so it must not block. Its exceptions are logged. Call this while
   * the stream's method starts the call.
   */
  public void onReady(Runnable quick) {
    call.whenReady(Context.current().wrap(requireNonNull(quick, "quick")));
  }
}
