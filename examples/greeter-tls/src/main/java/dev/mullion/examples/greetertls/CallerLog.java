package dev.mullion.examples.greetertls;

import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.util.Objects;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** Prints who calls, as its certificate says. A real one would decide what that client may do. */
final class CallerLog implements ServerInterceptor {
  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    SSLSession session =
        Objects.requireNonNull(call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION));
    try {
      System.out.println("called by " + session.getPeerPrincipal());
    } catch (SSLPeerUnverifiedException e) {
      throw new IllegalStateException("a client without certificate", e);
    }
    return next.startCall(call, headers);
  }
}
