/*
 * A bitmap font of 5 x 7 pixels, enough for the numbers and words of a plot:
 * digits, lower case letters, and . , - + = ( ) / % : _
 */
#ifndef EXAMPLES_COMMON_FONT_H
#define EXAMPLES_COMMON_FONT_H

enum { FONT_WIDTH = 5, FONT_HEIGHT = 7, FONT_ADVANCE = 6 };

/* Whether the letter covers the pixel; letters that the font does not have
   are blank. */
int font_pixel(char letter, int row, int column);

#endif
