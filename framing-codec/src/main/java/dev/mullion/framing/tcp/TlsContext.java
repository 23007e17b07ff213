package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.spec.KeySpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.jspecify.annotations.Nullable;

/** TLS with its files read. A class of its own, since netty-handler may be absent. */
final class TlsContext {
  private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

  private final Tls tls;
  private final SslContext context;

  private TlsContext(Tls tls, SslContext context) {
    this.tls = tls;
    this.context = context;
  }

  static TlsContext of(Tls tls) throws IOException {
    return new TlsContext(tls, tls.context == null ? build(tls) : tls.context);
  }

  private static SslContext build(Tls tls) throws IOException {
    Identity own = tls.identity == null ? null : Identity.read(tls.identity);
    SslContextBuilder builder;
    if (tls.forClient) {
      builder = SslContextBuilder.forClient();
      builder.endpointIdentificationAlgorithm(tls.verifiesHostNames ? "HTTPS" : null);
      if (own != null) {
        builder.keyManager(own.key(), own.chain());
      }
    } else if (own != null) {
      builder = SslContextBuilder.forServer(own.key(), own.chain());
    } else {
      throw new IllegalStateException("a server without certificate: " + tls);
    }
    if (tls.authorities != null) {
      builder.trustManager(certificates("authorities", tls.authorities));
      builder.clientAuth(tls.forClient ? ClientAuth.NONE : ClientAuth.REQUIRE);
    }
    return builder.protocols(PROTOCOLS).build();
  }

  /**
   * Returns the handler of a connection. With a client the host is the one that was asked for, not the
   * address it has resolved to.
   */
  SslHandler newHandler(ByteBufAllocator allocator, @Nullable String peerHost, int peerPort) {
    if (peerHost == null && tls.verifiesHostNames) {
      throw new IllegalStateException("tls: no host name to verify (expected: a host to connect to,"
          + " or withoutHostNameVerification)");
    }
    SslHandler handler = peerHost == null
        ? context.newHandler(allocator)
        : context.newHandler(allocator, peerHost, peerPort);
    long millis = TimeUnit.MILLISECONDS.convert(tls.handshakeTimeout);
    // To Netty, 0 is no limit.
    handler.setHandshakeTimeoutMillis(Math.max(1, millis));
    return handler;
  }

  private static List<X509Certificate> certificates(String setting, Path path) throws IOException {
    byte[] pem = read(setting, path);
    try {
      return List.of(Pem.certificates(new ByteArrayInputStream(pem)));
    } catch (CertificateException | RuntimeException e) {
      throw unusable(setting, path, e, "certificates as PEM");
    }
  }

  private static byte[] read(String setting, Path path) throws IOException {
    try {
      return Files.readAllBytes(path);
    } catch (IOException e) {
      throw new IOException(setting + ": " + path + " cannot be read: " + e, e);
    }
  }

  private static IOException unusable(String setting, Path path, Exception e, String expected) {
    return new IOException(
        setting + ": " + path + " cannot be used: " + e + " (expected: " + expected + ")", e);
  }

  /** A key with its certificate and those between that and its authority. */
  private record Identity(PrivateKey key, List<X509Certificate> chain) {
    private static final Pattern PEM_KEY = Pattern.compile(
        "-----BEGIN (ENCRYPTED )?PRIVATE KEY-----([^-]*)-----END (ENCRYPTED )?PRIVATE KEY-----");

    private static final String PBES2 = "1.2.840.113549.1.5.13";

    /** By the type of key; of others it is not checked that they belong to their certificate. */
    private static final Map<String, String> SIGNATURES =
        Map.of("RSA", "SHA256withRSA", "EC", "SHA256withECDSA", "EdDSA", "EdDSA");

    private static final byte[] MESSAGE = {1};

    static Identity read(Tls.Identity files) throws IOException {
      List<X509Certificate> chain = certificates("certificateChain", files.certificateChain());
      PublicKey certified = chain.get(0).getPublicKey();
      PrivateKey key = key(files.privateKey(), files.password(), certified.getAlgorithm());
      if (!belong(key, certified)) {
        throw new IOException("privateKey: " + files.privateKey()
            + " is not the key of the first certificate in certificateChain: "
            + files.certificateChain());
      }
      return new Identity(key, chain);
    }

    /** Not by Netty, which knows fewer types, and others when Bouncy Castle is there. */
    private static PrivateKey key(Path path, @Nullable String password, String type)
        throws IOException {
      byte[] file = TlsContext.read("privateKey", path);
      Matcher pem = PEM_KEY.matcher(new String(file, ISO_8859_1));
      if (!pem.find()) {
        throw new IOException(
            "privateKey: " + path + " holds no key (expected: PKCS #8 as PEM, BEGIN PRIVATE KEY)");
      }
      boolean encrypted = pem.group(1) != null;
      if (encrypted && password == null) {
        throw new IOException("privateKey: " + path + " is encrypted (expected: its password too)");
      }
      try {
        byte[] der = Base64.getMimeDecoder().decode(pem.group(2));
        KeySpec key = encrypted && password != null
            ? decrypt(new EncryptedPrivateKeyInfo(der), password)
            : new PKCS8EncodedKeySpec(der);
        return KeyFactory.getInstance(type).generatePrivate(key);
      } catch (GeneralSecurityException | IOException | RuntimeException e) {
        String expected = "an " + type + " key as in its certificate";
        throw unusable(
            "privateKey", path, e, encrypted ? expected + ", and its password" : expected);
      }
    }

    private static KeySpec decrypt(EncryptedPrivateKeyInfo info, String password)
        throws GeneralSecurityException {
      AlgorithmParameters parameters = info.getAlgParameters();
      String algorithm = info.getAlgName();
      if (algorithm.equals("PBES2") || algorithm.equals(PBES2)) {
        // What openssl writes. The ciphers are among the parameters, whose text names them.
        algorithm = parameters.toString();
      }
      SecretKey key = SecretKeyFactory.getInstance(algorithm)
          .generateSecret(new PBEKeySpec(password.toCharArray()));
      Cipher cipher = Cipher.getInstance(algorithm);
      cipher.init(Cipher.DECRYPT_MODE, key, parameters);
      return info.getKeySpec(cipher);
    }

    /** The JDK would notice it in each handshake, and not say which file is wrong. */
    private static boolean belong(PrivateKey key, PublicKey certified) {
      String algorithm = SIGNATURES.get(certified.getAlgorithm());
      if (algorithm == null) {
        return true;
      }
      try {
        Signature signature = Signature.getInstance(algorithm);
        signature.initSign(key);
        // EdDSA does not verify a signature of nothing.
        signature.update(MESSAGE);
        byte[] signed = signature.sign();
        signature.initVerify(certified);
        signature.update(MESSAGE);
        return signature.verify(signed);
      } catch (GeneralSecurityException otherParameters) {
        return false;
      }
    }
  }

  /** What Netty opens to subclasses only. */
  private abstract static class Pem extends SslContext {
    static X509Certificate[] certificates(InputStream pem) throws CertificateException {
      return toX509Certificates(pem);
    }
  }
}
