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

/** A channel's calls as meters: each call with all its attempts, and the messages of each attempt. */
final class ClientMeters implements ClientInterceptor {
  private final MethodMeters meters;

  ClientMeters(MethodMeters meters) {
    this.meters = meters;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    String name = method.getFullMethodName();
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
                meters.ended(name, status.getCode(), Duration.ofNanos(System.nanoTime() - begin));
                super.onClose(status, trailers);
              }
            },
            headers);
      }
    };
  }

  private final class Sizes extends ClientStreamTracer {
    private final String method;

    Sizes(String method) {
      this.method = method;
    }

    @Override
    public void inboundMessageRead(int sequence, long wireSize, long uncompressedSize) {
      meters.message(method, true, Math.max(0, wireSize));
    }

    @Override
    public void outboundMessageSent(int sequence, long wireSize, long uncompressedSize) {
      meters.message(method, false, Math.max(0, wireSize));
    }
  }
}
