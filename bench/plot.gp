# results.svg: bars from the files that figures.py writes, each line "name" median lowest
# highest. It gives the variables bars (where they are) and plotted (the picture).
set terminal svg size 900,560 font "sans-serif,12" background "white"
set output plotted
set multiplot layout 2,1
set style fill solid 0.8 noborder
set logscale x
set format x "%.0f"
set yrange [-0.6:*]
set offsets graph 0, 0, 0.6, 0
set grid xtics
set border 3
set tics nomirror out
set ytics scale 0
set lmargin 30
set rmargin 8
unset key
half = 0.35

set title "Connections each second, one client after the other"
set xrange [1:20000]
plot bars."connections" using 2:0:(1):2:($0 - half):($0 + half):ytic(1) with boxxyerror \
         linecolor "#4477aa", \
     "" using 2:0:3:4 with xerrorbars pointtype 0 linecolor "black", \
     "" using 4:0:(sprintf("%.0f", $2)) with labels left offset 1,0

set title "KB of private memory of an idle connection"
set xrange [1:20000]
plot bars."memory" using 2:0:(1):2:($0 - half):($0 + half):ytic(1) with boxxyerror \
         linecolor "#ee6677", \
     "" using 2:0:3:4 with xerrorbars pointtype 0 linecolor "black", \
     "" using 4:0:(sprintf("%.0f", $2)) with labels left offset 1,0
unset multiplot
