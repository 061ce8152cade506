/* Has the note of a plugin and nothing else. */
#include <skep/note.h>

SKEP_NOTE("org.skep.test.no_entry", "1.0.0", SKEP_LANGUAGE_C);
