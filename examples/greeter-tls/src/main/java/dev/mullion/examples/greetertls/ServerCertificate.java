package dev.mullion.examples.greetertls;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.security.cert.X509Certificate;
import java.util.Locale;
import java.util.Objects;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** Looks at the certificate of the server that answers a call. */
final class ServerCertificate implements ClientInterceptor {
  private volatile SSLSession session;

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<R> listener, Metadata headers) {
        super.start(
            new SimpleForwardingClientCallListener<>(listener) {
              @Override
              public void onHeaders(Metadata reply) {
                session = getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
                super.onHeaders(reply);
              }
            },
            headers);
      }
    };
  }

  /** Returns its number, as openssl prints it. */
  String serial() {
    try {
      X509Certificate certificate =
          (X509Certificate) Objects.requireNonNull(session).getPeerCertificates()[0];
      return certificate.getSerialNumber().toString(16).toUpperCase(Locale.ROOT);
    } catch (SSLPeerUnverifiedException e) {
      throw new IllegalStateException(e);
    }
  }
}
