package dev.mullion.rpc;

import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Measures each call from its first bytes to its last, and passes its record to the sinks. */
final class CallRecorder extends ServerStreamTracer.Factory {
  private static final Metadata.Key<String> REQUEST_ID =
      Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);
  private static final ServerStreamTracer NONE = new ServerStreamTracer() {};

  /** Called on event loops and threads of services, so it must not block. */
  interface Sink {
    /** Called when a message has been received or sent. */
    default void message(String method, boolean received, long bytes) {}

    /** Called once, when the call has ended. */
    void ended(CallRecord call);
  }

  private final List<Sink> sinks;
  private final Set<String> uncountedServices;
  private final LongAdder failures;

  CallRecorder(List<Sink> sinks, Set<String> uncountedServices, LongAdder failures) {
    this.sinks = List.copyOf(sinks);
    this.failures = failures;
    this.uncountedServices = Set.copyOf(uncountedServices);
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String fullMethodName, Metadata headers) {
    String service = fullMethodName.substring(0, Math.max(0, fullMethodName.lastIndexOf('/')));
    return uncountedServices.contains(service)
        ? NONE
        : new Observed(CallRecord.printable(fullMethodName, 256), headers.get(REQUEST_ID));
  }

  private final class Observed extends ServerStreamTracer {
    private final long begin = System.nanoTime();
    private final String method;
    private final @Nullable String requestId;
    private volatile @Nullable SocketAddress peer;

    // Written by the event loop, and read by the thread that ends the call.
    private final AtomicLong messagesReceived = new AtomicLong();
    private final AtomicLong bytesReceived = new AtomicLong();
    private final AtomicLong messagesSent = new AtomicLong();
    private final AtomicLong bytesSent = new AtomicLong();

    Observed(String method, @Nullable String requestId) {
      this.method = method;
      this.requestId = requestId;
    }

    @Override
    public void serverCallStarted(ServerCallInfo<?, ?> call) {
      peer = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    }

    @Override
    public void inboundMessageRead(int sequence, long wireSize, long uncompressedSize) {
      messagesReceived.incrementAndGet();
      message(true, bytesReceived, wireSize);
    }

    @Override
    public void outboundMessageSent(int sequence, long wireSize, long uncompressedSize) {
      messagesSent.incrementAndGet();
      message(false, bytesSent, wireSize);
    }

    /** A transport that does not know sizes reports -1. */
    private void message(boolean received, AtomicLong sum, long wireSize) {
      long bytes = Math.max(0, wireSize);
      sum.addAndGet(bytes);
      for (Sink each : sinks) {
        ObserverFailures.guard(failures, each, () -> each.message(method, received, bytes));
      }
    }

    @Override
    public void streamClosed(Status status) {
      CallRecord call = new CallRecord(
          method,
          peer,
          status,
          Duration.ofNanos(System.nanoTime() - begin),
          messagesReceived.get(),
          bytesReceived.get(),
          messagesSent.get(),
          bytesSent.get(),
          requestId == null ? null : CallRecord.printable(requestId, 128));
      for (Sink each : sinks) {
        ObserverFailures.guard(failures, each, () -> each.ended(call));
      }
    }
  }
}
