package dev.mullion.rpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientStreamTracer;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * Meters of a channel's calls: each call with all its attempts, and the messages of each attempt.
 *
 * <p>A proxy forwards any name that its clients send. So a method has its own meters only if it
 * comes from generated code, or if a server has answered a call to it. The number of such methods
 * is limited.
 */
final class ClientMeters implements ClientInterceptor {
  static final int MAX_METHODS = 1_000;

  private final MethodMeters meters;
  private final LongAdder failures;
  private final Set<String> known = ConcurrentHashMap.newKeySet();

  ClientMeters(MethodMeters meters, LongAdder failures) {
    this.meters = meters;
    this.failures = failures;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    String name = method.getFullMethodName();
    // Generated code sets this flag, for the same purpose.
    if (method.isSampledToLocalTracing()) {
      known(name);
    }
    ClientCall<Q, R> call =
        next.newCall(method, options.withStreamTracerFactory(new ClientStreamTracer.Factory() {
          @Override
          public ClientStreamTracer newClientStreamTracer(
              ClientStreamTracer.StreamInfo info, Metadata headers) {
            return new Sizes(name);
          }
        }));
    return new SimpleForwardingClientCall<>(call) {
      @Override
      public void start(Listener<R> listener, Metadata headers) {
        long begin = System.nanoTime();
        super.start(
            new SimpleForwardingClientCallListener<>(listener) {
              @Override
              public void onClose(Status status, Metadata trailers) {
                if (status.isOk()) {
                  known(name);
                }
                Duration took = Duration.ofNanos(System.nanoTime() - begin);
                ObserverFailures.guard(
                    failures, meters, () -> meters.ended(named(name), status.getCode(), took));
                super.onClose(status, trailers);
              }
            },
            headers);
      }
    };
  }

  private void known(String method) {
    if (!known.contains(method) && known.size() < MAX_METHODS) {
      known.add(method);
    }
  }

  private String named(String method) {
    return known.contains(method) ? method : "unknown";
  }

  private final class Sizes extends ClientStreamTracer {
    private final String method;

    Sizes(String method) {
      this.method = method;
    }

    @Override
    public void inboundMessageRead(int sequence, long wireSize, long uncompressedSize) {
      known(method);
      ObserverFailures.guard(
          failures, meters, () -> meters.message(named(method), true, Math.max(0, wireSize)));
    }

    @Override
    public void outboundMessageSent(int sequence, long wireSize, long uncompressedSize) {
      ObserverFailures.guard(
          failures, meters, () -> meters.message(named(method), false, Math.max(0, wireSize)));
    }
  }
}
