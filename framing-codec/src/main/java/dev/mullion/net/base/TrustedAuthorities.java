package dev.mullion.net.base;

import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/** Trusts the JDK's CAs or the given ones; host name verification is optional. */
final class TrustedAuthorities extends X509ExtendedTrustManager {
  private final X509ExtendedTrustManager verifying;

  private TrustedAuthorities(X509ExtendedTrustManager verifying) {
    this.verifying = verifying;
  }

  /** Returns a manager that trusts these authorities, or the JDK's CAs if none are given. */
  static X509ExtendedTrustManager of(
      X509Certificate @Nullable [] authorities, boolean verifiesHostNames)
      throws GeneralSecurityException, IOException {
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(authorities == null ? null : store(authorities));
    for (TrustManager each : factory.getTrustManagers()) {
      if (each instanceof X509ExtendedTrustManager verifying) {
        return verifiesHostNames ? verifying : new TrustedAuthorities(verifying);
      }
    }
    throw new GeneralSecurityException("no trust manager for X.509: " + factory.getProvider());
  }

  private static KeyStore store(X509Certificate[] authorities)
      throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    for (int i = 0; i < authorities.length; i++) {
      store.setCertificateEntry("authority " + i, authorities[i]);
    }
    return store;
  }

  // The delegate's methods with a connection verify the host name too, because gRPC's transport
  // always requests that. Its methods without a connection verify only the certificates.

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    verifying.checkServerTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    verifying.checkServerTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    verifying.checkServerTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    verifying.checkClientTrusted(chain, authType, engine);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    verifying.checkClientTrusted(chain, authType, socket);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    verifying.checkClientTrusted(chain, authType);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return verifying.getAcceptedIssuers();
  }
}
