package dev.mullion.messaging;

/** A library that only some users need: a use without it is an error that names it. */
final class OptionalLibrary {
  private OptionalLibrary() {}

  /**
   * Checks that a library is there.
   *
   * @param user what needs it, for the text
   * @param type one of its classes
   * @param artifact its coordinates
   * @param module its module's name
   */
  static void check(String user, String type, String artifact, String module) {
    try {
      Class.forName(type, false, OptionalLibrary.class.getClassLoader());
    } catch (ClassNotFoundException absent) {
      // A jar on the module path is ignored unless its module is required or added.
      String place = OptionalLibrary.class.getModule().isNamed()
          ? " on the module path, with --add-modules " + module
          : " on the class path";
      throw new IllegalStateException(user + " needs " + artifact + place, absent);
    }
  }
}
