package dev.mullion.net.base;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.KeySpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * A file of certificates or keys, and the setting that names it. Every error message has both.
 *
 * @param text the content, one char for each byte
 */
record Pem(String setting, Path path, String text) {
  private static final Pattern CERTIFICATE =
      Pattern.compile("-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----");
  private static final Pattern KEY = Pattern.compile(
      "-----BEGIN (ENCRYPTED )?PRIVATE KEY-----([^-]*)-----END (ENCRYPTED )?PRIVATE KEY-----");

  private static final String PBES2 = "1.2.840.113549.1.5.13";

  /** By key type; keys of other types are not compared with their certificate. */
  private static final Map<String, String> SIGNATURES =
      Map.of("RSA", "SHA256withRSA", "EC", "SHA256withECDSA", "EdDSA", "EdDSA");

  private static final byte[] MESSAGE = {1};

  X509Certificate[] certificates() throws IOException {
    List<X509Certificate> found = new ArrayList<>();
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      Matcher pem = CERTIFICATE.matcher(text);
      while (pem.find()) {
        byte[] der = Base64.getMimeDecoder().decode(pem.group(1));
        found.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der)));
      }
    } catch (GeneralSecurityException | RuntimeException e) {
      throw unusable(e, "certificates as PEM");
    }
    if (found.isEmpty()) {
      throw new IOException(
          setting + ": " + path + " contains no certificate (expected: PEM, BEGIN CERTIFICATE)");
    }
    return found.toArray(X509Certificate[]::new);
  }

  /** Returns the key, which must belong to the first certificate. */
  PrivateKey key(@Nullable String password, X509Certificate[] chain, Path chainPath)
      throws IOException {
    PublicKey certified = chain[0].getPublicKey();
    PrivateKey key = key(password, certified.getAlgorithm());
    if (!belong(key, certified)) {
      throw new IOException(setting + ": " + path
          + " is not the key of the first certificate in certificateChain: "
          + chainPath);
    }
    return key;
  }

  /** Netty is not used here: it supports fewer types, and different ones with Bouncy Castle. */
  private PrivateKey key(@Nullable String password, String type) throws IOException {
    Matcher pem = KEY.matcher(text);
    if (!pem.find()) {
      throw new IOException(
          setting + ": " + path + " contains no key (expected: PKCS #8 as PEM, BEGIN PRIVATE KEY)");
    }
    boolean encrypted = pem.group(1) != null;
    if (encrypted && password == null) {
      throw new IOException(setting + ": " + path + " is encrypted (expected: its password)");
    }
    try {
      byte[] der = Base64.getMimeDecoder().decode(pem.group(2));
      KeySpec key = encrypted && password != null
          ? decrypt(new EncryptedPrivateKeyInfo(der), password)
          : new PKCS8EncodedKeySpec(der);
      return KeyFactory.getInstance(type).generatePrivate(key);
    } catch (GeneralSecurityException | IOException | RuntimeException e) {
      String expected = "an " + type + " key to match its certificate";
      throw unusable(e, encrypted ? expected + ", and its correct password" : expected);
    }
  }

  private static KeySpec decrypt(EncryptedPrivateKeyInfo info, String password)
      throws GeneralSecurityException {
    AlgorithmParameters parameters = info.getAlgParameters();
    String algorithm = info.getAlgName();
    if (algorithm.equals("PBES2") || algorithm.equals(PBES2)) {
      // The format that openssl writes. The text of the parameters names the ciphers.
      algorithm = parameters.toString();
    }
    SecretKey key = SecretKeyFactory.getInstance(algorithm)
        .generateSecret(new PBEKeySpec(password.toCharArray()));
    Cipher cipher = Cipher.getInstance(algorithm);
    cipher.init(Cipher.DECRYPT_MODE, key, parameters);
    return info.getKeySpec(cipher);
  }

  /** The JDK would detect a mismatch only in each handshake, and without naming the file. */
  private static boolean belong(PrivateKey key, PublicKey certified) {
    String algorithm = SIGNATURES.get(certified.getAlgorithm());
    if (algorithm == null) {
      return true;
    }
    try {
      Signature signature = Signature.getInstance(algorithm);
      signature.initSign(key);
      // EdDSA does not verify a signature of an empty message.
      signature.update(MESSAGE);
      byte[] signed = signature.sign();
      signature.initVerify(certified);
      signature.update(MESSAGE);
      return signature.verify(signed);
    } catch (GeneralSecurityException otherParameters) {
      return false;
    }
  }

  private IOException unusable(Exception e, String expected) {
    return new IOException(
        setting + ": " + path + " cannot be used: " + e + " (expected: " + expected + ")", e);
  }

  /** Names the file, without its content. */
  @Override
  public String toString() {
    return setting + ": " + path;
  }
}
